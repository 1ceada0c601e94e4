//! What stands before every page: who asks, by which name, and what his browser may do with the
//! answer.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::entrance::Entrance;

/// What the guard knows.
pub(super) struct Guard {
    pub(super) entrance: Entrance,
    /// The one name under which the pages are asked for.
    pub(super) host: String,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, entrance: Entrance) -> Self {
        Self { entrance, host: address.to_string() }
    }

    /// A page of another site whose name was made to lead here asks by that name (DNS rebinding),
    /// and a form there says where it stands.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).is_some_and(|host| host.as_bytes() == self.host.as_bytes());
        let own = format!("http://{}", self.host);
        let origin = headers.get(ORIGIN).is_none_or(|origin| origin.as_bytes() == own.as_bytes());
        host && origin
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        cookies.into_iter().any(|cookies| self.entrance.admits(cookies))
    }
}

/// Lets nobody in by another name.
pub(super) async fn by_its_name(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match guard.knows(request.headers()) {
        true => next.run(request).await,
        false => (StatusCode::MISDIRECTED_REQUEST, "this page has another name\n").into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Lets nobody in without the session.
pub(super) async fn with_session(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    match guard.admits(request.headers()) {
        true => next.run(request).await,
        false => (StatusCode::FORBIDDEN, LOCKED).into_response(),
    }
}

const LOCKED: &str = "This is open to the browser that first used the printed URL, and to no other.\n\
    The URL is good for one use: run `sealgate audit serve` again for a new one.\n";
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
