//! A request's way through the gateway: decide, record, seal, call, answer.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::response::IntoResponse;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use sealgate_audit as audit;
use sealgate_keys::{
    Cleartext, Grant, InnerAnswer, InnerHeader, InnerRequest, Mode, OpenedAnswer, ReleaseProfile,
    bucket, inner_header,
};
use sealgate_policies::{self as policies, Action, Ask, Permit, Protocol, ReleaseOutput};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::journal::{PendingOutcome, address_class};
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::routes::Authenticated;
use crate::worker::{Connection, Supervisor, WorkerError};

/// What a request is about, as its path says.
pub struct Target<'a> {
    /// The model.
    pub model: &'a str,
    /// The version, if the path names one.
    pub version: Option<&'a str>,
    /// What to do with it.
    pub action: Action,
    /// In which protocol.
    pub protocol: Protocol,
}

/// Answers an authenticated request: nothing leaves before the decision's record is durable.
pub async fn forward(
    app: &App,
    caller: &Authenticated,
    target: &Target<'_>,
    request: Request,
) -> Response<Body> {
    let (permit, rows) = match decide(app, caller, target, request.headers()) {
        Ok(allowed) => allowed,
        Err(refused) => return deny(app, caller, &target.into(), &refused).await,
    };
    let durable = app.journal.append(&audit::Event::Decision(Box::new(audit::Decision {
        code: "allowed".into(),
        limit_profile: permit.limits().name().as_ref().into(),
        model: target.model.into(),
        release_profile: permit.release().name().as_ref().into(),
        rows_reserved: rows,
        rules: permit.rules().iter().map(|rule| audit::Text::from(&**rule)).collect(),
        verdict: audit::Verdict::Allow,
        ..record(app, caller, &target.into())
    })));
    let pending = PendingOutcome::new(app.journal.clone(), caller.id.as_str());
    let begun = Instant::now();
    let carried = guarded(carry_out(app, caller, target, &permit, rows, request)).await;
    let recorded = Instant::now();
    let result = match durable.wait().await {
        Ok(()) => carried,
        Err(error) => {
            tracing::error!(%error, request_id = caller.id.as_str(), "no record, so no answer");
            Err(Refusal::AuditUnavailable)
        }
    };
    let audit_us = micros(recorded.elapsed());
    pending.settle(|outcome| settle(outcome, &result, begun, audit_us));
    match result {
        Ok(done) => done.response(caller),
        Err(refusal) => refusal.response(caller.id),
    }
}

/// Says what this server is, on the record.
pub async fn describe_server(app: &App, caller: &Authenticated) -> Response<Body> {
    let subject = Subject { action: "describe_server", ..Subject::nothing() };
    let durable = app.journal.append(&audit::Event::Decision(Box::new(audit::Decision {
        code: "allowed".into(),
        verdict: audit::Verdict::Allow,
        ..record(app, caller, &subject)
    })));
    if durable.wait().await.is_err() {
        return Refusal::AuditUnavailable.response(caller.id);
    }
    let server =
        json!({"name": "sealgate", "version": env!("CARGO_PKG_VERSION"), "extensions": []});
    let mut response = Json(server).into_response();
    response.headers_mut().insert(RequestId::HEADER, caller.id.header());
    response
}

/// Refuses an authenticated request that asks for nothing there is, on the record.
pub async fn refuse(app: &App, caller: &Authenticated, refusal: Refusal) -> Response<Body> {
    deny(app, caller, &Subject::nothing(), &refusal.into()).await
}

/// What a record says that a request was about.
struct Subject<'a> {
    action: &'a str,
    model: &'a str,
    version: Option<&'a str>,
    protocol: &'a str,
}

impl Subject<'_> {
    const fn nothing() -> Self {
        Self { action: "none", model: "", version: None, protocol: "http" }
    }
}

impl<'a> From<&Target<'a>> for Subject<'a> {
    fn from(target: &Target<'a>) -> Self {
        Self {
            action: target.action.as_str(),
            model: target.model,
            version: target.version,
            protocol: target.protocol.as_str(),
        }
    }
}

/// A refusal, and what the record says of it beyond what the client is told.
struct Refused {
    told: Refusal,
    code: audit::Text,
    rules: audit::Texts,
}

impl From<Refusal> for Refused {
    fn from(told: Refusal) -> Self {
        Self { told, code: told.code().into(), rules: audit::Texts::default() }
    }
}

/// What the policy says, and how many rows to reserve.
fn decide(
    app: &App,
    caller: &Authenticated,
    target: &Target<'_>,
    headers: &HeaderMap,
) -> Result<(Arc<Permit>, u32), Refused> {
    let announced = announced_rows(headers)?;
    let ask = Ask {
        model: target.model,
        version: target.version,
        action: target.action,
        mode: policies::Mode::GatewaySealed,
        protocol: target.protocol,
        address: caller.address.0,
        rows: announced,
        now_s: caller.now_s,
    };
    let permit = app.callers.decide(&caller.verified, &ask).map_err(|denial| Refused {
        told: Refusal::Forbidden,
        code: denial.code().into(),
        rules: denial.rules().iter().map(|rule| audit::Text::from(&**rule)).collect(),
    })?;
    if !app.models.contains_key(target.model) {
        // Declared by the policy, served by nobody: to the caller it does not exist either.
        let code = "model_not_served".into();
        return Err(Refused { code, ..Refused::from(Refusal::Forbidden) });
    }
    let rows = permit.limits().rows_to_reserve(announced).ok_or(Refusal::RowsLimit)?;
    Ok((permit, rows))
}

/// `Sealgate-Rows: N`, at most once.
fn announced_rows(headers: &HeaderMap) -> Result<Option<u32>, Refusal> {
    let mut fields = headers.get_all(ROWS).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    let number = field
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok());
    match (number, fields.next()) {
        (Some(rows @ 1..), None) => Ok(Some(rows)),
        _ => Err(Refusal::RowsHeader),
    }
}

async fn deny(
    app: &App,
    caller: &Authenticated,
    subject: &Subject<'_>,
    refused: &Refused,
) -> Response<Body> {
    let decision = audit::Decision {
        code: refused.code.clone(),
        rules: refused.rules.clone(),
        ..record(app, caller, subject)
    };
    let durable = app.journal.append(&audit::Event::Decision(Box::new(decision)));
    match durable.wait().await {
        Ok(()) => refused.told.response(caller.id),
        Err(error) => {
            tracing::error!(%error, request_id = caller.id.as_str(), "no record of a refusal");
            Refusal::AuditUnavailable.response(caller.id)
        }
    }
}

/// The parts of a decision record that do not depend on what was decided; a denial until told.
fn record(app: &App, caller: &Authenticated, subject: &Subject<'_>) -> audit::Decision {
    audit::Decision {
        action: subject.action.into(),
        address: address_class(caller.address.0),
        caller: caller.verified.recorded.caller.clone(),
        code: "".into(),
        inputs: caller.verified.recorded.inputs(caller.now_s),
        limit_profile: "".into(),
        mode: audit::Mode::GatewaySealed,
        model: subject.model.into(),
        model_version: subject.version.map(Into::into),
        policy_digest: app.policy_digest.clone(),
        protocol: subject.protocol.into(),
        release_profile: "".into(),
        request_id: caller.id.as_str().into(),
        rows_reserved: 0,
        rules: audit::Texts::default(),
        verdict: audit::Verdict::Deny,
    }
}

/// An answer that may leave once its record is durable.
struct Done {
    answer: InnerAnswer,
    outcome: sealgate_keys::Outcome,
    keyset_digest: audit::Text,
    hop_us: u32,
    sealed_bytes: usize,
}

async fn carry_out(
    app: &App,
    caller: &Authenticated,
    target: &Target<'_>,
    permit: &Permit,
    rows: u32,
    request: Request,
) -> Result<Done, Refusal> {
    let model = app.models.get(target.model).ok_or(Refusal::WorkerUnavailable)?;
    if model.connection().is_none() {
        return Err(Refusal::WorkerUnavailable);
    }
    let (message, _room) = inner(app, request).await?;
    // Taken only now: while the body came in, another worker may have taken over.
    let connection = model.connection().ok_or(Refusal::WorkerUnavailable)?;
    let grant = grant(app, caller, permit, model, rows);
    let begun = Instant::now();
    let opened = call(&connection, &grant, message).await.map_err(|error| {
        tracing::debug!(%error, request_id = caller.id.as_str(), "a call to the worker failed");
        refusal_of(&error)
    })?;
    let hop_us = micros(begun.elapsed());
    let OpenedAnswer { outcome, message } = opened;
    let sealed_bytes = message.expose().len();
    let answer = InnerAnswer::decode(message.expose()).map_err(|_| Refusal::Internal)?;
    let agrees = outcome.status == answer.status
        && outcome.rows <= rows
        && outcome.model_digest == *model.digest();
    if !agrees {
        tracing::error!(
            request_id = caller.id.as_str(),
            "the worker's outcome contradicts its answer"
        );
        return Err(Refusal::Internal);
    }
    let keyset_digest = hex::encode(connection.facts().keyset_digest).into();
    Ok(Done { answer, outcome, keyset_digest, hop_us, sealed_bytes })
}

/// A panic on a request's way becomes its outcome, so that it is recorded and answered like any
/// other.
async fn guarded<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let mut work = pin!(work);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)))
            .unwrap_or(Poll::Ready(Err(Refusal::Internal)))
    })
    .await
}

async fn call(
    connection: &Connection,
    grant: &Grant,
    message: Cleartext,
) -> Result<OpenedAnswer, WorkerError> {
    let patience = Duration::from_millis(grant.valid_ms.into());
    let answer = async { connection.call(grant, message).await?.answer().await };
    tokio::time::timeout(patience, answer).await.unwrap_or(Err(WorkerError::TooSlow))
}

const fn refusal_of(error: &WorkerError) -> Refusal {
    match error {
        WorkerError::Lost => Refusal::WorkerLost,
        WorkerError::Busy => Refusal::WorkerBusy,
        WorkerError::TooSlow => Refusal::WorkerTimeout,
        _ => Refusal::Internal,
    }
}

/// The client's request as it is sealed: method, path, allowed header fields, body; and the room
/// that its bytes take up.
async fn inner(app: &App, request: Request) -> Result<(Cleartext, OwnedSemaphorePermit), Refusal> {
    let (parts, body) = request.into_parts();
    let bytes_max = app.body_bytes_max as u64;
    let most = body.size_hint().upper().unwrap_or(bytes_max).min(bytes_max);
    let kib = u32::try_from(most.div_ceil(1024)).unwrap_or(u32::MAX);
    let room = app.body_room_kib.clone().try_acquire_many_owned(kib);
    let room = room.map_err(|_| Refusal::Overloaded)?;
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| inner_header(name.as_str()) == InnerHeader::Carried)
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method };
    let read = Limited::new(body, app.body_bytes_max).collect();
    let body = match tokio::time::timeout(app.body_timeout, read).await {
        Ok(Ok(body)) => Vec::from(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::BodyTooLarge),
        Ok(Err(_)) => return Err(Refusal::BodyIncomplete),
        Err(_) => return Err(Refusal::BodyTimeout),
    };
    let inner = InnerRequest {
        method: method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        headers,
        body: Cleartext::new(body),
    };
    Ok((inner.encode().map_err(|_| Refusal::Internal)?, room))
}

fn grant(
    app: &App,
    caller: &Authenticated,
    permit: &Permit,
    model: &Supervisor,
    rows: u32,
) -> Grant {
    Grant {
        request_id: caller.id.bytes(),
        caller: caller.verified.pseudonym.clone(),
        tenant: permit.tenant().map_or_else(String::new, |tenant| tenant.to_string()),
        model: model.model().to_owned(),
        version: Some(permit.version().unwrap_or(model.version()).to_owned()),
        action: match permit.action() {
            Action::Infer => sealgate_keys::Action::Infer,
            _ => sealgate_keys::Action::DescribeModel,
        },
        rows_reserved: rows,
        declared_fields: permit.model().fields().map(<[String]>::to_vec).unwrap_or_default(),
        release: release(permit.release().output()),
        policy_digest: *permit.policy().as_bytes(),
        mode: Mode::GatewaySealed,
        ciphertext_sha256: None,
        valid_ms: app.answer_timeout_ms,
    }
}

const fn release(output: ReleaseOutput) -> ReleaseProfile {
    match output {
        ReleaseOutput::Label {} => ReleaseProfile::LabelOnly,
        ReleaseOutput::Buckets { count } => ReleaseProfile::Buckets(count),
        ReleaseOutput::Rounded { digits } => ReleaseProfile::Rounded(digits),
        ReleaseOutput::Full {} => ReleaseProfile::Full,
    }
}

impl Done {
    fn response(self, caller: &Authenticated) -> Response<Body> {
        let mut response = Response::new(Body::from(self.answer.body.into_public()));
        *response.status_mut() =
            StatusCode::from_u16(self.answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let content_type = HeaderValue::try_from(self.answer.content_type)
            .unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(RequestId::HEADER, caller.id.header());
        response
    }
}

fn settle(
    outcome: &mut audit::Outcome,
    result: &Result<Done, Refusal>,
    begun: Instant,
    audit_us: u32,
) {
    match result {
        Ok(done) => {
            let said = &done.outcome;
            outcome.code = said.code.as_str().into();
            outcome.status = said.status;
            outcome.rows = said.rows;
            outcome.length_class = bucket(done.sealed_bytes).to_string().into();
            outcome.model_digest = Some(hex::encode(said.model_digest).into());
            outcome.keyset_digest = Some(done.keyset_digest.clone());
            outcome.stages_us = [
                ("audit_wait", audit_us),
                ("hop", done.hop_us),
                ("infer", said.infer_us),
                ("open", said.open_us),
                ("queue", said.queue_us),
                ("total", micros(begun.elapsed())),
            ]
            .map(|(stage, us)| (stage.into(), us))
            .into();
        }
        Err(refusal) => {
            outcome.code = refusal.code().into();
            outcome.status = refusal.status().as_u16();
        }
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

const ROWS: HeaderName = HeaderName::from_static("sealgate-rows");
