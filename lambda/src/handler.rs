use std::panic::{AssertUnwindSafe, catch_unwind};

use sealgate_keys::ohttp::{KEYS_TYPE, REQUEST_TYPE, RESPONSE_TYPE};
use sealgate_keys::{Cleartext, InnerHeader, InnerRequest, inner_header};
use sealgate_worker::function::Function;

use crate::event::{Event, nonce};
use crate::proxy::refusal::Refusal;
use crate::proxy::{Answer, HttpRequest, ROWS, base64};

/// Answers events, one at a time.
pub struct Handler {
    function: Function,
    plain: bool,
    sealed: bool,
}

impl Handler {
    /// Answers with `function` what comes in the clear, if `plain`, and what is sealed, if `sealed`.
    #[must_use]
    pub const fn new(function: Function, plain: bool, sealed: bool) -> Self {
        Self { function, plain, sealed }
    }

    /// The function behind it.
    #[must_use]
    pub const fn function(&self) -> &Function {
        &self.function
    }

    /// The answer to an event, as JSON. A refusal is an answer, too: an event that is refused is
    /// refused again, so there is no use in the platform's retrying it.
    #[must_use]
    pub fn answer(&self, event: &[u8]) -> Vec<u8> {
        match Event::read(event) {
            Err(refusal) => refusal.answer().body,
            Ok(Event::Plain(body)) => contained(|| self.invocation(body)).body,
            Ok(Event::Sealed { request, rows }) => {
                let answer = contained(|| self.sealed(&request, rows));
                match answer.status {
                    200 => sealed_event(&answer.body),
                    _ => answer.body,
                }
            }
            Ok(Event::Attestation(nonce)) => contained(|| self.attestation(&nonce)).body,
            Ok(Event::Http(version, request)) => contained(|| self.http(request?)).proxied(version),
        }
    }

    fn http(&self, request: HttpRequest) -> Result<Answer, Refusal> {
        if request.header("content-type").is_some_and(|own| own.eq_ignore_ascii_case(REQUEST_TYPE))
        {
            if request.method != "POST" {
                return Err(Refusal::MethodNotAllowed);
            }
            let rows = request.header(ROWS).map(|rows| rows.parse().map_err(|_| Refusal::Rows));
            return self.sealed(&request.body, rows.transpose()?);
        }
        if request.method == "GET" && self.sealed {
            match request.path.as_str() {
                "/v1/attestation" => return self.attestation(&self.asked(&request.query)?),
                path if self.is_key_list(path) => return self.key_list(),
                _ => {}
            }
        }
        self.plain(request)
    }

    fn invocation(&self, body: &[u8]) -> Result<Answer, Refusal> {
        self.plain(HttpRequest {
            method: "POST".to_owned(),
            path: INVOCATIONS.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: body.to_vec(),
        })
    }

    fn plain(&self, request: HttpRequest) -> Result<Answer, Refusal> {
        if !self.plain {
            return Err(Refusal::SealedOnly);
        }
        let HttpRequest { method, path, headers, body, .. } = request;
        let carried = |name: &str| inner_header(name) == InnerHeader::Carried;
        let headers = headers.into_iter().filter(|(name, _)| carried(name));
        let answer = self.function.plain(&InnerRequest {
            // The address of a function is not a path that anybody chose.
            path: if path == "/" { INVOCATIONS.to_owned() } else { path },
            method,
            headers: headers.map(|(name, value)| (name, value.into_bytes())).collect(),
            body: Cleartext::new(body),
        })?;
        // Without keys of its version nobody could verify a function's receipts.
        let headers = if self.sealed { answer.headers } else { Vec::new() };
        let (status, content_type) = (answer.status, answer.content_type);
        Ok(Answer { status, content_type, headers, body: answer.body.into_public() })
    }

    fn sealed(&self, request: &[u8], rows: Option<u32>) -> Result<Answer, Refusal> {
        if !self.sealed {
            return Err(Refusal::OhttpKey);
        }
        let answered = self.function.sealed(request, rows)?;
        Ok(Answer::ok(RESPONSE_TYPE, answered.response)
            .with(REQUEST_ID, &answered.request_id)
            .with(CACHE, "no-store"))
    }

    fn attestation(&self, nonce: &[u8; 32]) -> Result<Answer, Refusal> {
        if !self.sealed {
            return Err(Refusal::OhttpKey);
        }
        Ok(Answer::ok(JSON, self.function.attestation(nonce)?).with(CACHE, "no-store"))
    }

    /// Not to be kept for longer than its keys live.
    fn key_list(&self) -> Result<Answer, Refusal> {
        let left_s = self.function.keys_left_s()?;
        let age = format!("private, max-age={}", left_s.min(KEY_LIST_AGE_S));
        Ok(Answer::ok(KEYS_TYPE, self.function.key_list().to_vec()).with(CACHE, &age))
    }

    fn is_key_list(&self, path: &str) -> bool {
        let model = path.strip_prefix("/v1/models/").and_then(|p| p.strip_suffix("/ohttp-keys"));
        path == "/.well-known/ohttp-gateway"
            || model.is_some_and(|model| model == self.function.keyset().model.name)
    }

    /// The nonce of a question for keys of this function's model.
    fn asked(&self, query: &str) -> Result<[u8; 32], Refusal> {
        let (mut asked, mut model) = (None, None);
        for member in query.split('&').filter(|member| !member.is_empty()) {
            let (name, value) = member.split_once('=').ok_or(Refusal::AttestationQuery)?;
            let slot = match name {
                "nonce" => &mut asked,
                "model" => &mut model,
                _ => return Err(Refusal::AttestationQuery),
            };
            if slot.replace(value).is_some() {
                return Err(Refusal::AttestationQuery);
            }
        }
        let own = self.function.keyset().model.name.as_str();
        if model.is_some_and(|model| model != own) {
            return Err(Refusal::AttestationQuery);
        }
        asked.and_then(nonce).ok_or(Refusal::AttestationQuery)
    }
}

/// A panic is the refusal of one event; the function goes on.
fn contained(answer: impl FnOnce() -> Result<Answer, Refusal>) -> Answer {
    catch_unwind(AssertUnwindSafe(answer))
        .unwrap_or(Err(Refusal::Internal))
        .unwrap_or_else(Refusal::answer)
}

/// `{"message/ohttp-res": "<base64>"}`
fn sealed_event(response: &[u8]) -> Vec<u8> {
    // Base64 needs no escapes.
    [br#"{"message/ohttp-res":""#, base64(response).as_bytes(), br#""}"#].concat()
}

const INVOCATIONS: &str = "/invocations";
const JSON: &str = "application/json";
/// By it a client knows the receipt inside for that of its request.
const REQUEST_ID: &str = "sealgate-request-id";
const CACHE: &str = "cache-control";
/// For how long clients may keep a key list, if its keys live as long.
const KEY_LIST_AGE_S: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_the_refusal_of_one_event() {
        let answer = contained(|| panic!("in the middle of an event"));
        assert_eq!(answer.status, 500);
        assert!(!answer.body.windows(6).any(|window| window == b"middle"));
    }
}
