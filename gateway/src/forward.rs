//! A request's way through the gateway: decide, record, carry out, answer.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Response};
use axum::response::IntoResponse;
use sealgate_audit as audit;
use sealgate_policies::{Action, Ask, Mode, Permit, Protocol};
use serde_json::json;

use crate::app::App;
use crate::body::Request;
use crate::client_keys::{self, Question};
use crate::cost::{Metered, NotReserved};
use crate::journal::PendingOutcome;
use crate::limits::{NotTaken, Taken, Who};
use crate::observed::Observed;
use crate::pool::Pool;
use crate::record::{self, Account, Refused, Subject, micros};
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::routes::Authenticated;
use crate::served::Version;
use crate::{client_sealed, gateway_sealed, policy};

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
    /// Who seals.
    pub mode: Mode,
    /// Who does it.
    pub work: Work,
}

/// Who does what a request asks for.
#[derive(Clone, Copy)]
pub enum Work {
    /// A worker, under the gateway's seal.
    GatewaySealed,
    /// A worker, under the client's seal.
    ClientSealed,
    /// The gateway hands on a worker's key list.
    KeyList,
    /// A worker shows evidence for its keys.
    Attestation(Question),
}

/// A request that may be carried out.
pub struct Allowed<'a> {
    /// What is asked.
    pub target: &'a Target<'a>,
    /// The version of the model that answers.
    pub version: Arc<Version>,
    /// Its workers for this caller.
    pub pool: Arc<Pool>,
    /// Under which conditions.
    pub permit: Arc<Permit>,
    /// How many rows are reserved.
    pub rows: u32,
}

/// An answer that may leave once its record is durable.
pub struct Done {
    /// The answer.
    pub response: Response<Body>,
    /// What the record says of it.
    pub account: Account,
}

/// Answers an authenticated request, and counts it.
pub async fn forward(
    app: &App,
    caller: &Authenticated,
    target: &Target<'_>,
    request: Request,
) -> Response<Body> {
    let mut observed = Observed::begin(app, caller, target, request.headers());
    let mut response = answer(app, caller, target, request, &mut observed).await;
    observed.answered(&mut response);
    response
}

/// Nothing leaves before the decision's record is durable.
async fn answer(
    app: &App,
    caller: &Authenticated,
    target: &Target<'_>,
    request: Request,
    observed: &mut Observed,
) -> Response<Body> {
    let subject = Subject::from(target);
    let allowed = match decide(app, caller, target, request.headers()) {
        Ok(allowed) => allowed,
        Err(refused) => return record::deny(app, caller, &subject, &refused).await,
    };
    observed.goes_to(&allowed.version);
    let metered = match reserve(app, caller, &allowed) {
        Ok(metered) => metered,
        Err(refused) => return record::deny(app, caller, &subject, &refused).await,
    };
    let taken = match take(app, caller, &allowed).await {
        Ok(taken) => taken,
        Err(refused) => return record::deny(app, caller, &subject, &refused).await,
    };
    let (charge, metered) = (metered.charge(), metered.keep());
    let decision = record::allowed(app, caller, &subject, &allowed, charge);
    let pending = PendingOutcome::new(app.journal.clone(), caller.id.as_str());
    let begun = Instant::now();
    let carried = guarded(carry_out(app, caller, &allowed, request)).await;
    settle(taken, &carried);
    let usage = metered.settle(&carried);
    let waiting = Instant::now();
    let result = match record::durable(caller, decision).await {
        Ok(()) => carried,
        Err(refusal) => Err(refusal),
    };
    let audit_us = micros(waiting.elapsed());
    let account = result.as_ref().map(|done| &done.account).map_err(|&refusal| refusal);
    observed.came_to(account, audit_us);
    pending.settle(|outcome: &mut audit::Outcome| {
        record::settle(outcome, account, begun, audit_us);
        outcome.usage = usage;
    });
    match result {
        Ok(Done { mut response, .. }) => {
            response.headers_mut().insert(RequestId::HEADER, caller.id.header());
            response
        }
        Err(refusal) => app.receipts.refuse(refusal, caller),
    }
}

/// Says what this server is, on the record.
pub async fn describe_server(app: &App, caller: &Authenticated) -> Response<Body> {
    describe(
        app,
        caller,
        "describe_server",
        || json!({"name": SERVER_NAME, "version": SERVER_VERSION, "extensions": SERVER_EXTENSIONS}),
    )
    .await
}

/// What the server calls itself.
pub const SERVER_NAME: &str = "sealgate";
/// Its version.
pub const SERVER_VERSION: &str = env!("CARGO_PKG_VERSION");
/// The extensions of the Open Inference Protocol that workers speak, as Triton names them.
pub const SERVER_EXTENSIONS: [&str; 3] =
    ["binary_tensor_data", "model_configuration", "statistics"];

/// Answers with JSON that the gateway itself knows, on the record.
pub async fn describe(
    app: &App,
    caller: &Authenticated,
    action: &str,
    body: impl FnOnce() -> serde_json::Value,
) -> Response<Body> {
    match may_describe(app, caller, action).await {
        Ok(()) => {
            let mut response = Json(body()).into_response();
            response.headers_mut().insert(RequestId::HEADER, caller.id.header());
            response
        }
        Err(refused) => refused,
    }
}

/// Records that the gateway describes something that every caller may know of.
///
/// # Errors
/// The refusal, as it goes to the client.
pub async fn may_describe(
    app: &App,
    caller: &Authenticated,
    action: &str,
) -> Result<(), Response<Body>> {
    if app.emergency.is_locked_down() {
        return Err(refuse(app, caller, Refusal::LockedDown).await);
    }
    let recorded = record::described(app, caller, action).await;
    recorded.map_err(|refusal| app.receipts.refuse(refusal, caller))
}

/// Refuses an authenticated request that asks for nothing there is, on the record.
pub async fn refuse(app: &App, caller: &Authenticated, refusal: Refusal) -> Response<Body> {
    record::deny(app, caller, &Subject::nothing(), &refusal.into()).await
}

/// What the policy says, and how many rows to reserve.
fn decide<'a>(
    app: &'a App,
    caller: &Authenticated,
    target: &'a Target<'a>,
    headers: &HeaderMap,
) -> Result<Allowed<'a>, Refused> {
    if app.emergency.is_locked_down() {
        return Err(Refusal::LockedDown.into());
    }
    if app.emergency.stops_model(target.model) {
        return Err(Refused { code: "model_stopped".into(), ..Refused::from(Refusal::Forbidden) });
    }
    if let Some(left) = app.quarantine.holds(&caller.verified.pseudonym, Instant::now()) {
        let retry_after_s = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        return Err(Refusal::CallerQuarantined { retry_after_s }.into());
    }
    let announced = announced_rows(headers)?;
    let ask = Ask {
        model: target.model,
        version: target.version,
        action: target.action,
        mode: target.mode,
        protocol: target.protocol,
        address: caller.address.0,
        rows: announced,
        now_s: caller.now_s,
    };
    let decided = caller.verified.decide(&caller.policy.set, &ask);
    policy::observe(app, caller, &ask, &decided);
    let permit = decided.map_err(|denial| Refused {
        told: Refusal::Forbidden,
        code: denial.code().into(),
        rules: record::rule_ids(denial.rules()),
    })?;
    // Declared by the policy, served by nobody: to the caller it does not exist either.
    let asked = permit.version();
    let version = app.models.named(target.model).and_then(|served| {
        let (traffic, allowed) = (permit.model().traffic(), permit.model().versions());
        served.version_for(asked, traffic, allowed, caller.id.draw())
    });
    let version = version.ok_or_else(|| Refused {
        code: "model_not_served".into(),
        ..Refused::from(Refusal::Forbidden)
    })?;
    let pool = version.pool(permit.model().workers(), permit.tenant());
    let pool = pool.ok_or_else(|| Refused::under(&permit, Refusal::WorkerUnavailable))?;
    let rows = permit.limits().rows_to_reserve(announced);
    let rows = rows.ok_or_else(|| Refused::under(&permit, Refusal::RowsLimit))?;
    Ok(Allowed { target, version, pool, permit, rows })
}

/// Takes what the request may cost out of its budgets, if a worker is to work on it.
fn reserve(app: &App, caller: &Authenticated, allowed: &Allowed<'_>) -> Result<Metered, Refused> {
    let permit = &allowed.permit;
    if let Work::KeyList | Work::Attestation(_) = allowed.target.work {
        return Ok(Metered::without_price(0));
    }
    app.costs.reserve(caller, permit, allowed.rows).map_err(|why| {
        let told = match why {
            NotReserved::Spent(spent) => Refusal::Budget(spent),
            NotReserved::Unavailable => Refusal::LimitsUnavailable,
        };
        Refused::under(permit, told)
    })
}

/// Takes the request, and the rows it reserves, out of what the caller's limits leave.
async fn take(app: &App, caller: &Authenticated, allowed: &Allowed<'_>) -> Result<Taken, Refused> {
    let permit = &allowed.permit;
    let (issuer, subject) = caller.verified.identity();
    let tenant = permit.tenant().map(|tenant| &**tenant);
    let who = Who { issuer, subject, tenant, model: permit.model().name() };
    let rows = (permit.action() == Action::Infer).then_some(allowed.rows);
    let taken =
        app.callers.limits.take(&who, &(&**permit.limits()).into(), rows, caller.now_s).await;
    taken.map_err(|why| {
        let told = match why {
            NotTaken::Exceeded(exceeded) => Refusal::Limit(exceeded),
            NotTaken::Unavailable => Refusal::LimitsUnavailable,
        };
        Refused::under(permit, told)
    })
}

/// The worker's word says how many rows were used. Where there is none, all that were reserved
/// are spent, unless no worker can have had the request.
fn settle(taken: Taken, carried: &Result<Done, Refusal>) {
    match carried {
        Ok(done) => taken.settle(done.account.rows),
        Err(refusal) if refusal.is_before_work() => taken.settle(0),
        Err(_) => drop(taken),
    }
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

async fn carry_out(
    app: &App,
    caller: &Authenticated,
    allowed: &Allowed<'_>,
    request: Request,
) -> Result<Done, Refusal> {
    match allowed.target.work {
        Work::GatewaySealed => gateway_sealed::carry_out(app, caller, allowed, request).await,
        Work::ClientSealed => client_sealed::carry_out(app, caller, allowed, request).await,
        Work::KeyList => client_keys::key_list(app, allowed).await,
        Work::Attestation(question) => client_keys::attest(app, allowed, &question).await,
    }
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

const ROWS: HeaderName = HeaderName::from_static("sealgate-rows");
