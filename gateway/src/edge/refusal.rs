//! What a client is told whose request the edge does not let through.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::json;

/// Why a request is refused: a fixed sentence, never a word of the request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    kind: Kind,
    detail: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ambiguous,
    HeadTooLarge,
    Method,
    Upgrade,
}

impl Refusal {
    /// The request could be read in two ways, or in none.
    pub(super) const fn ambiguous(detail: &'static str) -> Self {
        Self { kind: Kind::Ambiguous, detail }
    }

    /// The head is longer, or has more fields, than allowed.
    pub(super) const fn head_too_large() -> Self {
        Self { kind: Kind::HeadTooLarge, detail: "the request head is too large" }
    }

    /// `CONNECT` or `TRACE`.
    pub(super) const fn method() -> Self {
        Self { kind: Kind::Method, detail: "this method is not served" }
    }

    /// The client asked to change the protocol.
    pub(super) const fn upgrade() -> Self {
        Self { kind: Kind::Upgrade, detail: "no other protocol is served on this connection" }
    }

    /// The sentence for the client.
    pub(super) const fn detail(self) -> &'static str {
        self.detail
    }

    /// The answer, as JSON with the key `error` beside the members of RFC 9457.
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let (status, code, title) = match self.kind {
            Kind::Ambiguous => (StatusCode::BAD_REQUEST, "http_ambiguous", "ambiguous request"),
            Kind::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "http_head_too_large",
                "request head too large",
            ),
            Kind::Method => (StatusCode::METHOD_NOT_ALLOWED, "http_method", "method not served"),
            Kind::Upgrade => (StatusCode::BAD_REQUEST, "http_upgrade", "upgrade not served"),
        };
        let body = json!({
            "error": self.detail,
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "code": code,
        });
        let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.kind == Kind::Method {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS, POST"));
        }
        response
    }
}
