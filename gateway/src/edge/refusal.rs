//! What a client is told whose request the edge does not let through.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::refusal::{NO_TYPE, problem};
use crate::request_id::RequestId;

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

    /// The answer: the same problem as the router's refusals, under an id of its own.
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let (status, code) = match self.kind {
            Kind::Ambiguous => (StatusCode::BAD_REQUEST, "http_ambiguous"),
            Kind::HeadTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "http_head_too_large")
            }
            Kind::Method => (StatusCode::METHOD_NOT_ALLOWED, "http_method"),
            Kind::Upgrade => (StatusCode::BAD_REQUEST, "http_upgrade"),
        };
        // Without randomness there is no id, and the request is refused all the same.
        let id = RequestId::fresh().ok();
        let mut response = problem(status, NO_TYPE, code, self.detail, id.as_ref());
        if self.kind == Kind::Method {
            response.headers_mut().insert(header::ALLOW, ROUTED_METHODS);
        }
        response
    }
}

/// What the router has paths for; RFC 9110, section 15.5.6, wants them named in a 405.
const ROUTED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST");
