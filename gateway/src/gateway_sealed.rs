//! Gateway-sealed mode: the client's plain request is sealed here, for the worker alone.

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use sealgate_keys::{Cleartext, InnerAnswer, InnerHeader, InnerRequest, inner_header};

use crate::app::App;
use crate::body;
use crate::forward::{Allowed, Done};
use crate::hop;
use crate::refusal::Refusal;
use crate::routes::Authenticated;

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
    let model = allowed.model;
    if !model.is_ready() {
        return Err(Refusal::WorkerUnavailable);
    }
    let (parts, body) = request.into_parts();
    let (body, _room) = body::read(&app.capacity, body).await?;
    let message = inner(parts, body)?;
    // Taken only now: while the body came in, another worker may have taken over.
    let connection = model.least_loaded().ok_or(Refusal::WorkerUnavailable)?;
    let keyset_digest = connection.keys().map(|keys| keys.digest);
    let grant = hop::grant(app, caller, allowed, None);
    let answered = hop::ask(caller, allowed, &connection, &grant, message).await;
    let answered = answered.map_err(|error| hop::refusal(app, &error, None))?;
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

/// The client's request as it is sealed: method, path, allowed header fields, body.
fn inner(parts: Parts, body: Vec<u8>) -> Result<Cleartext, Refusal> {
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| inner_header(name.as_str()) == InnerHeader::Carried)
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method };
    let inner = InnerRequest {
        method: method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        headers,
        body: Cleartext::new(body),
    };
    inner.encode().map_err(|_| Refusal::Internal)
}

fn response(answer: InnerAnswer) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body.into_public()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let content_type = HeaderValue::try_from(answer.content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    for (name, value) in answer.headers {
        // Receipt and commitment key; a worker's answer has no other header fields.
        let field = (HeaderName::try_from(name), HeaderValue::try_from(value));
        if let (Ok(name), Ok(value)) = field {
            headers.insert(name, value);
        }
    }
    response
}
