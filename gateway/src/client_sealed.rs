//! Client-sealed mode: the gateway decides over ciphertext that it cannot open, and passes it on.
//!
//! Nothing here holds a key to what is inside. The request waits in the same queue as all others, then
//! goes to the one worker whose key it names, once: whatever becomes of it, the gateway does not send
//! it again.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use sealgate_keys::Cleartext;
use sealgate_keys::control::refused;
use sealgate_keys::ohttp::{Header, REQUEST_TYPE, RESPONSE_TYPE};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::body::Request;
use crate::forward::{Allowed, Done};
use crate::hop;
use crate::pool::Unavailable;
use crate::refusal::Refusal;
use crate::routes::Authenticated;

/// Whether a request says that its body is sealed by the client (RFC 9458, section 4).
#[must_use]
pub fn is_sealed(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let sealed = types.next().and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(REQUEST_TYPE)
    });
    sealed && types.next().is_none()
}

/// Passes what a client sealed to the worker whose key it names.
///
/// # Errors
/// [`Refusal::OhttpKey`] for everything that is wrong with the message itself.
pub async fn carry_out(
    app: &App,
    caller: &Authenticated,
    allowed: &Allowed<'_>,
    request: Request,
) -> Result<Done, Refusal> {
    let (sealed, _room) = request.into_body().whole(&app.capacity).await?;
    let header = Header::read(&sealed).ok_or(Refusal::OhttpKey(refused::NOT_OPENED))?;
    let reached = app.keyring.reach(header.key_id, allowed.target.model, allowed.pool.tenant());
    let reached = reached.ok_or(Refusal::OhttpKey(refused::KEY_UNKNOWN))?;

    let connection = &reached.connection;
    let may_be_asked = |versions: &[String]| versions.contains(&connection.model().version);
    if !allowed.permit.model().versions().is_none_or(may_be_asked) {
        return Err(Refusal::OhttpKey(refused::KEY_UNKNOWN));
    }
    // The key says which version answers; it may be another one than was chosen.
    let around = app.models.around(connection, allowed.pool.tenant());
    let (_version, pool) = around.ok_or(Refusal::OhttpKey(refused::KEY_UNKNOWN))?;
    let digest = Sha256::digest(&sealed).into();
    let message = Cleartext::new(sealed);
    let deadline = app.answer_deadline();
    let _place = pool.enter_with(connection, deadline).await.map_err(refusal)?;
    let grant = hop::grant(caller, allowed, connection, deadline, Some(digest));
    let answered = hop::ask(caller, connection, &grant, message).await;
    let answered = answered.map_err(|error| hop::refusal(&pool, &error, Some(&reached)))?;
    let account = answered.account(Some(reached.keys.digest));
    let mut response = Response::new(Body::from(answered.message.into_public()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(RESPONSE_TYPE));
    Ok(Done { response, account })
}

/// A worker that went while the request waited has not seen it, and its keys went with it: the client
/// may seal it anew.
fn refusal(why: Unavailable) -> Refusal {
    match why {
        Unavailable::Gone => Refusal::OhttpKey(refused::KEY_UNKNOWN),
        why => why.into(),
    }
}
