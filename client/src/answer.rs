//! What comes back: an answer, or a refusal with its reason.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use sealgate_keys::{JSON_BYTES_HEADER, RECEIPT_HEADER};
use serde::Deserialize;

use crate::Tensor;
use crate::body::split;
use crate::gateway::Reply;

/// The largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A successful answer. Holds scores: it cannot be printed.
///
/// ```compile_fail
/// fn print(answer: sealgate_client::Answer) {
///     println!("{answer:?}");
/// }
/// ```
pub struct Answer {
    /// The HTTP status, 2xx.
    pub status: StatusCode,
    /// The gateway's id of the request, as it stands in the audit log.
    pub request_id: Option<String>,
    /// The body as it came.
    pub body: Bytes,
    /// How much of the body is JSON, where a tensor follows.
    pub json_bytes: Option<usize>,
}

impl Answer {
    /// Sorts a response: a status that is not 2xx is a refusal, also a redirect.
    pub(crate) fn from_reply(reply: Reply) -> Result<Self, Box<Refusal>> {
        if reply.status.is_success() {
            let request_id = reply.header(REQUEST_ID).map(str::to_owned);
            let json_bytes = reply.header(JSON_BYTES_HEADER).and_then(|bytes| bytes.parse().ok());
            return Ok(Self { status: reply.status, request_id, body: reply.body, json_bytes });
        }
        Err(Box::new(Refusal::of_gateway(&reply)))
    }

    /// The one output, in whichever form it came; none if there is anything else.
    #[must_use]
    pub fn output(&self) -> Option<Tensor> {
        Tensor::of_answer(split(&self.body, self.json_bytes))
    }
}

/// Why there is no score, in the words of whoever refused (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The problem's type, a URI; absent when it has none of its own.
    pub kind: Option<String>,
    /// The stable reason code; absent when something else than the gateway answered.
    pub code: Option<String>,
    /// The sentence; the status phrase when there was none.
    pub error: String,
    /// The gateway's id of the request, as it stands in the audit log.
    pub request_id: Option<String>,
    /// The signed line that came with it, as it came: of a
    /// [`GatewayReceipt`](sealgate_keys::receipt::GatewayReceipt) when the gateway refused, of a
    /// [`WorkerReceipt`](sealgate_keys::receipt::WorkerReceipt) when the worker did.
    pub receipt: Option<String>,
}

impl Refusal {
    pub(crate) fn of_gateway(reply: &Reply) -> Self {
        let text = |name| reply.header(name).map(|text| printable(text.to_owned()));
        Self::read(reply.status, text(REQUEST_ID), reply.header(RECEIPT_HEADER), &reply.body)
    }

    pub(crate) fn read(
        status: StatusCode,
        request_id: Option<String>,
        receipt: Option<&str>,
        body: &[u8],
    ) -> Self {
        let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        let phrase = || status.canonical_reason().unwrap_or("refused").to_lowercase();
        Self {
            status,
            kind: problem.kind.filter(|kind| kind != "about:blank").map(printable),
            code: problem.code.map(printable),
            error: problem.error.map_or_else(phrase, printable),
            request_id: request_id.or(problem.request_id.map(printable)),
            receipt: receipt.map(str::to_owned),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.as_deref().unwrap_or_else(|| self.status.as_str());
        write!(f, "{} ({code}", self.error)?;
        if let Some(id) = &self.request_id {
            write!(f, ", {id}")?;
        }
        f.write_str(")")
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    error: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    request_id: Option<String>,
}

/// Ends up on a terminal: no control characters, and no more than a screen can bear.
fn printable(text: String) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

/// Header field of the gateway's id of a request.
pub(crate) const REQUEST_ID: &str = "sealgate-request-id";
const TEXT_CHARS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::{Answer, Refusal};
    use crate::gateway::Reply;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};

    fn refusal(status: u16, body: &'static str) -> Option<Box<Refusal>> {
        let status = StatusCode::from_u16(status).ok()?;
        let mut headers = HeaderMap::new();
        headers.insert("sealgate-request-id", HeaderValue::from_static("r-1"));
        let body = Bytes::from_static(body.as_bytes());
        Answer::from_reply(Reply { status, headers, body }).err()
    }

    #[test]
    fn a_refusal_keeps_the_code_and_the_request_id() {
        let body =
            r#"{"error":"not allowed","code":"forbidden","request_id":"other","status":403}"#;
        let text = refusal(403, body).map(|refusal| refusal.to_string());
        assert_eq!(text.as_deref(), Some("not allowed (forbidden, r-1)"));
    }

    #[test]
    fn a_body_that_is_no_problem_becomes_the_status_phrase() {
        let text = refusal(502, "<html>").map(|refusal| refusal.to_string());
        assert_eq!(text.as_deref(), Some("bad gateway (502, r-1)"));
    }

    #[test]
    fn a_redirect_is_a_refusal() {
        assert!(refusal(307, "").is_some());
    }

    #[test]
    fn a_refusal_cannot_write_to_the_terminal_what_it_likes() {
        let error = refusal(400, r#"{"error":"a\u001b[2Jb"}"#).map(|refusal| refusal.error);
        assert_eq!(error.as_deref(), Some("a[2Jb"));
    }

    #[test]
    fn a_success_is_no_refusal() {
        assert!(refusal(200, "{}").is_none());
    }
}
