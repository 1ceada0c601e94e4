//! What stands before every page: who asks, by which name, and what his browser may do with the
//! answer.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::entrance::Entrance;
use super::reception::Reception;
use super::sign_in;

/// What the guard knows.
pub(super) struct Guard {
    pub(super) door: Door,
    /// The one name under which the pages are asked for.
    host: String,
    /// The pages' own origin (RFC 6454).
    origin: String,
}

/// How one gets in.
pub(super) enum Door {
    /// With the URL that was printed on this machine.
    Local(Entrance),
    /// With a token.
    Reviewers(Reception),
}

impl Guard {
    /// Before pages that are asked for as `scheme://host`.
    pub(super) fn new(scheme: &str, host: String, door: Door) -> Self {
        Self { door, origin: format!("{scheme}://{host}"), host }
    }

    /// A page of another site whose name was made to lead here asks by that name (DNS rebinding),
    /// and a form there says where it stands.
    fn knows(&self, method: &Method, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).is_some_and(|host| host.as_bytes() == self.host.as_bytes());
        let origin = match headers.get(ORIGIN) {
            Some(origin) => origin.as_bytes() == self.origin.as_bytes(),
            // Every browser says it with a form.
            None => method != Method::POST,
        };
        host && origin
    }

    async fn admit(&self, headers: &HeaderMap) -> Result<(), Response> {
        match &self.door {
            Door::Local(entrance) => {
                let cookies = headers.get_all(COOKIE).iter();
                let mut cookies = cookies.filter_map(|cookies| cookies.to_str().ok());
                match cookies.any(|cookies| entrance.admits(cookies)) {
                    true => Ok(()),
                    false => Err((StatusCode::FORBIDDEN, LOCKED).into_response()),
                }
            }
            Door::Reviewers(reception) => {
                let admitted = reception.admit(headers, Instant::now()).await;
                admitted.map_err(|why| {
                    let challenge = [(WWW_AUTHENTICATE, "Bearer")];
                    (challenge, sign_in::page(&why)).into_response()
                })
            }
        }
    }
}

/// Lets nobody in by another name.
pub(super) async fn by_its_name(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match guard.knows(request.method(), request.headers()) {
        true => next.run(request).await,
        false => (StatusCode::MISDIRECTED_REQUEST, "this page has another name\n").into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Lets nobody in who has not been let in.
pub(super) async fn with_session(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    match guard.admit(request.headers()).await {
        Ok(()) => next.run(request).await,
        Err(refused) => refused,
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
    // Under `no-referrer` browsers say `Origin: null` with a form (Fetch, "append a request `Origin`
    // header"), which is what another site's form may say: nobody could sign in.
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
