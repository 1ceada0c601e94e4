//! Gateway-sealed mode: the client's plain request is sealed here, for the worker alone.
//!
//! A worker that provably did not begin with a request costs it a second try and no more: sealed anew,
//! under a fresh key and another grant, on record before it is sent. What may have been begun with is
//! lost.

use std::time::Instant;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use sealgate_audit as audit;
use sealgate_keys::grpc::Names;
use sealgate_keys::{Cleartext, Grant, InnerAnswer, InnerHeader, InnerRequest, inner_header};
use sealgate_policies::Protocol;

use crate::app::App;
use crate::body::Request;
use crate::forward::{Allowed, Done};
use crate::hop::{self, Answered};
use crate::journal::Durable;
use crate::record;
use crate::refusal::Refusal;
use crate::routes::{Authenticated, PREDICT};
use crate::worker::WorkerError;

/// Seals a request, has it answered, and hands the answer on.
///
/// # Errors
/// [`Refusal`].
pub async fn carry_out(
    app: &App,
    caller: &Authenticated,
    allowed: &Allowed<'_>,
    request: Request,
) -> Result<Done, Refusal> {
    let (parts, body) = request.into_parts();
    let (body, _room) = body.whole(&app.capacity).await?;
    let body = named_by_version(allowed, body)?;
    let inner = inner(path(allowed, &parts), parts, body);
    // Taken only now: whoever sends slowly keeps nobody from a worker.
    let deadline = app.answer_deadline();
    let mut turn = ask(app, caller, allowed, &inner, deadline, None).await?;
    if let Some(not_begun) = turn.not_begun() {
        turn = ask(app, caller, allowed, &inner, deadline, Some(not_begun)).await?;
    }
    let Turn { answered, keyset_digest } = turn;
    let answered = answered.map_err(|error| hop::refusal(&allowed.pool, &error, None))?;
    let account = answered.account(keyset_digest);
    let answer = InnerAnswer::decode(answered.message.expose()).map_err(|_| Refusal::Internal)?;
    if answered.outcome.status != answer.status {
        tracing::error!(
            request_id = caller.id.as_str(),
            "the worker's outcome is not its answer's"
        );
        return Err(Refusal::Internal);
    }
    Ok(Done { response: response(answer), account })
}

/// What came of asking a worker.
struct Turn {
    answered: Result<Answered, WorkerError>,
    /// Of the worker.
    keyset_digest: Option<[u8; 32]>,
}

/// Why there is a second turn.
struct NotBegun {
    why: &'static str,
    /// Of the worker that did not begin.
    keyset_digest: Option<[u8; 32]>,
}

impl Turn {
    /// How it is known that the worker did not begin with the request, if it is.
    fn not_begun(&self) -> Option<NotBegun> {
        let why = match self.answered {
            Err(WorkerError::NotStarted) => "unsent",
            Err(WorkerError::Busy) => "busy",
            _ => return None,
        };
        Some(NotBegun { why, keyset_digest: self.keyset_digest })
    }
}

/// Asks one worker. A second turn is on record before it is sent.
async fn ask(
    app: &App,
    caller: &Authenticated,
    allowed: &Allowed<'_>,
    inner: &InnerRequest,
    deadline: Instant,
    before: Option<NotBegun>,
) -> Result<Turn, Refusal> {
    // Encoded before a place is taken: no worker waits for it.
    let message = inner.encode().map_err(|_| Refusal::Internal)?;
    let draw = caller.id.draw();
    let draw = if before.is_some() { !draw } else { draw };
    let place = allowed.pool.enter(draw, deadline).await?;
    let connection = place.connection();
    let keyset_digest = connection.keys().map(|keys| keys.digest);
    let mut grant = hop::grant(caller, allowed, connection, deadline, None);
    if let Some(before) = before {
        record::durable(caller, retried(app, caller, &grant, &before)).await?;
        // The disk has had its time of it, perhaps all that was left.
        if Instant::now() >= deadline {
            return Err(Refusal::WorkerUnavailable);
        }
        grant = hop::grant(caller, allowed, connection, deadline, None);
    }
    let answered = hop::ask(caller, connection, &grant, message).await;
    Ok(Turn { answered, keyset_digest })
}

fn retried(app: &App, caller: &Authenticated, grant: &Grant, before: &NotBegun) -> Durable {
    app.journal.append(&audit::Event::Retried(audit::Retried {
        grant_valid_ms: grant.valid_ms,
        keyset_digest: before.keyset_digest.map(|digest| hex::encode(digest).into()),
        request_id: caller.id.as_str().into(),
        why: before.why.into(),
    }))
}

/// The path as it is sealed: what the policy's label stands for takes its place, for the worker knows
/// versions alone.
fn path(allowed: &Allowed<'_>, parts: &Parts) -> String {
    let path = parts.uri.path();
    let (Some(asked), Some(meant)) = (allowed.target.version, allowed.permit.version()) else {
        return path.to_owned();
    };
    // V1 has its verb behind the last name.
    let named = |(at, segment): (usize, &str)| match segment.strip_prefix(asked) {
        Some(verb) if at == VERSION_SEGMENT && (verb.is_empty() || verb == PREDICT) => {
            [meant, verb].concat()
        }
        _ => segment.to_owned(),
    };
    path.split('/').enumerate().map(named).collect::<Vec<_>>().join("/")
}

/// A message of gRPC names its version itself: there, too, a label is replaced.
fn named_by_version(allowed: &Allowed<'_>, body: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    match (allowed.target.version, allowed.permit.version()) {
        (Some(asked), Some(meant))
            if allowed.target.protocol == Protocol::Grpc && asked != meant =>
        {
            Names::with_version(&body, meant).map_err(|_| Refusal::Frame)
        }
        _ => Ok(body),
    }
}

/// The client's request as it is sealed: method, path, allowed header fields, body.
fn inner(path: String, parts: Parts, body: Vec<u8>) -> InnerRequest {
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| inner_header(name.as_str()) == InnerHeader::Carried)
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method };
    InnerRequest { method: method.as_str().to_owned(), path, headers, body: Cleartext::new(body) }
}

fn response(answer: InnerAnswer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body.into_public()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let content_type = HeaderValue::try_from(answer.content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    for (name, value) in answer.headers {
        // `InnerAnswer::decode` lets no other fields through than it names.
        let field = (HeaderName::try_from(name), HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = field {
            headers.insert(name, value);
        }
    }
    response
}

/// Of `/v2/models/M/versions/V` and `/v1/models/M/versions/V:predict`, counted from the empty one before the first slash.
const VERSION_SEGMENT: usize = 5;
