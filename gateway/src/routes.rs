//! Paths to handlers. Health needs no token; everything else begins with [`Authenticated`].

use std::any::Any;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use sealgate_policies::{Action, Mode, Protocol};
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;
use crate::body::Arriving;
use crate::callers::Verified;
use crate::capacity::Capacity;
use crate::client_keys::Question;
use crate::client_sealed::is_sealed;
use crate::edge::ClientAddress;
use crate::forward::{self, Target, Work, describe_server, forward, refuse};
use crate::journal::now_s;
use crate::limits::Place;
use crate::policy::InForce;
use crate::proof;
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::{catalog, grpc, openapi, readiness};

/// All routes over `app`.
pub fn routes(app: Arc<App>) -> Router {
    let plain = table()
        .into_iter()
        .fold(Router::new(), |router, (_, path, handler)| router.route(path, handler));
    plain
        .merge(grpc::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
}

/// Method, path and handler; the document at `/openapi.json` has the same methods and paths.
pub(crate) fn table() -> Vec<(&'static str, &'static str, MethodRouter<Arc<App>>)> {
    vec![
        ("get", "/", get(alive)),
        ("get", "/livez", get(live)),
        ("get", "/readyz", get(standing)),
        ("get", "/openapi.json", get(openapi::document)),
        ("get", "/v2/health/live", get(live)),
        ("get", "/v2/health/ready", get(ready)),
        ("get", "/v2", get(server)),
        ("post", "/v2/repository/index", post(index)),
        ("get", "/v2/models/stats", get(statistics)),
        ("get", "/v2/models/{model}", get(describe)),
        ("get", "/v2/models/{model}/ready", get(describe)),
        ("get", "/v2/models/{model}/config", get(describe)),
        ("get", "/v2/models/{model}/stats", get(describe)),
        ("post", "/v2/models/{model}/infer", post(infer)),
        ("get", "/v2/models/{model}/versions/{version}", get(describe)),
        ("get", "/v2/models/{model}/versions/{version}/ready", get(describe)),
        ("get", "/v2/models/{model}/versions/{version}/config", get(describe)),
        ("get", "/v2/models/{model}/versions/{version}/stats", get(describe)),
        ("post", "/v2/models/{model}/versions/{version}/infer", post(infer)),
        ("get", "/v1/models", get(models)),
        ("get", "/v1/models/{model}", get(status)),
        ("post", "/v1/models/{model}", post(predict)),
        ("get", "/v1/models/{model}/versions/{version}", get(status)),
        ("post", "/v1/models/{model}/versions/{version}", post(predict)),
        ("post", "/invocations", post(invocations)),
        ("get", "/.well-known/ohttp-gateway", get(default_key_list)),
        ("get", "/v1/models/{model}/ohttp-keys", get(key_list)),
        ("get", "/v1/attestation", get(attestation)),
        ("get", "/v1/audit/proof/{request_id}", get(own_proof)),
    ]
}

/// A request whose token has been verified and which has a place among those in flight.
pub struct Authenticated {
    /// The request's id.
    pub id: RequestId,
    /// Who asks.
    pub verified: Arc<Verified>,
    /// From where.
    pub address: ClientAddress,
    /// The policy it goes by, to its end.
    pub policy: Arc<InForce>,
    /// When, in seconds since 1970.
    pub now_s: u64,
    _place: Place,
}

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response<Body>> {
        Self::within(&app.capacity, app, parts).await
    }
}

impl Authenticated {
    /// Takes one of the listener's places, perhaps after a while in line, then verifies the token.
    ///
    /// # Errors
    /// The refusal, counted, as it goes to the client.
    pub async fn within(
        capacity: &Capacity,
        app: &App,
        parts: &Parts,
    ) -> Result<Self, Response<Body>> {
        let id = RequestId::fresh().map_err(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())?;
        let admit = async {
            // The edge puts it there for every request; without it nobody can say who asks.
            let address = *parts.extensions.get::<ClientAddress>().ok_or(Refusal::Internal)?;
            let place = capacity.in_flight.take().await;
            let place = place.map_err(|retry_after_s| Refusal::Overloaded { retry_after_s })?;
            // Not before: the line may have taken its time.
            let now_s = now_s();
            if app.journal.clock_is_behind(now_s) {
                return Err(Refusal::ClockBehind);
            }
            let policy = app.policy.current();
            let check = || app.callers.authenticate(&policy, &parts.headers, now_s);
            let jwks = &app.callers.jwks;
            let verified = jwks.with_fresh_keys(&policy.set, &parts.headers, check).await;
            let verified = verified.map_err(Refusal::Token)?;
            let revoked = verified.must_not_be_in(app.emergency.revoked(), now_s);
            revoked.map_err(Refusal::Token)?;
            Ok(Self { id, verified, address, policy, now_s, _place: place })
        };
        admit.await.map_err(|refusal: Refusal| {
            app.journal.count_refusal(refusal.code(), now_s());
            refusal.response(id)
        })
    }
}

/// As KServe's clients ask before anything else.
async fn alive() -> Json<serde_json::Value> {
    Json(json!({"status": "alive"}))
}

async fn live() -> Json<serde_json::Value> {
    Json(json!({"live": true}))
}

/// As clients of the Open Inference Protocol read it.
async fn ready(State(app): AppState) -> Response<Body> {
    let ready = app.is_ready();
    (readiness::status(ready), Json(json!({"ready": ready}))).into_response()
}

/// The same for operators, with reasons.
pub async fn standing(State(app): AppState) -> Response<Body> {
    readiness::answer(&app)
}

async fn server(caller: Authenticated, State(app): AppState) -> Response<Body> {
    describe_server(&app, &caller).await
}

type AppState = State<Arc<App>>;

/// The model and the version that a path names, letter by letter: nothing is percent-decoded, so
/// that a name has one spelling, here as in the worker.
struct Named {
    model: String,
    version: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = Infallible;

    /// Only for `/v?/models/M` and `/v2/models/M/versions/V`, which the router has matched.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut segments = parts.uri.path().split('/').skip(3);
        let model = segments.next().unwrap_or_default().to_owned();
        let version = match segments.next() {
            Some("versions") => segments.next().map(str::to_owned),
            _ => None,
        };
        Ok(Self { model, version })
    }
}

async fn infer(
    caller: Authenticated,
    State(app): AppState,
    named: Named,
    request: Request,
) -> Response<Body> {
    named.ask(&app, &caller, Action::Infer, request).await
}

async fn describe(
    caller: Authenticated,
    State(app): AppState,
    named: Named,
    request: Request,
) -> Response<Body> {
    named.ask(&app, &caller, Action::DescribeModel, request).await
}

impl Named {
    /// V1 has its verb behind the last name.
    fn without_verb(mut self) -> Option<Self> {
        let last = self.version.as_mut().unwrap_or(&mut self.model);
        *last = last.strip_suffix(PREDICT)?.to_owned();
        Some(self)
    }

    async fn ask(
        &self,
        app: &App,
        caller: &Authenticated,
        action: Action,
        request: Request,
    ) -> Response<Body> {
        let sealed = action == Action::Infer && is_sealed(request.headers());
        let (protocol, mode, work) = if sealed {
            (Protocol::Ohttp, Mode::ClientSealed, Work::ClientSealed)
        } else {
            (Protocol::V2, Mode::GatewaySealed, Work::GatewaySealed)
        };
        let version = self.version.as_deref();
        let target = Target { model: &self.model, version, action, protocol, mode, work };
        forward(app, caller, &target, request.map(Arriving::Body)).await
    }

    async fn ask_v1(
        &self,
        app: &App,
        caller: &Authenticated,
        action: Action,
        request: Request,
    ) -> Response<Body> {
        let target = Target {
            model: &self.model,
            version: self.version.as_deref(),
            action,
            protocol: Protocol::V1,
            mode: Mode::GatewaySealed,
            work: Work::GatewaySealed,
        };
        forward(app, caller, &target, request.map(Arriving::Body)).await
    }
}

/// The verb of V1.
pub const PREDICT: &str = ":predict";

async fn predict(
    caller: Authenticated,
    State(app): AppState,
    named: Named,
    request: Request,
) -> Response<Body> {
    match named.without_verb() {
        Some(named) => named.ask_v1(&app, &caller, Action::Infer, request).await,
        None => refuse(&app, &caller, Refusal::MethodNotAllowed).await,
    }
}

async fn status(
    caller: Authenticated,
    State(app): AppState,
    named: Named,
    request: Request,
) -> Response<Body> {
    named.ask_v1(&app, &caller, Action::DescribeModel, request).await
}

async fn index(caller: Authenticated, State(app): AppState) -> Response<Body> {
    forward::describe(&app, &caller, catalog::ACTION, || {
        let entry = |entry: catalog::Entry| {
            json!({
                "name": entry.name, "version": entry.version, "model_digest": entry.digest,
                "state": entry.state.as_str(), "reason": entry.reason,
            })
        };
        catalog::seen_by(&app, &caller, Protocol::V2).into_iter().map(entry).collect()
    })
    .await
}

async fn models(caller: Authenticated, State(app): AppState) -> Response<Body> {
    forward::describe(&app, &caller, catalog::ACTION, || {
        let seen = catalog::seen_by(&app, &caller, Protocol::V1);
        let names: BTreeSet<_> = catalog::served(seen).map(|entry| entry.name).collect();
        json!({"models": names})
    })
    .await
}

/// Of all models that the caller may describe: that there are these, and nothing else.
async fn statistics(caller: Authenticated, State(app): AppState) -> Response<Body> {
    forward::describe(&app, &caller, catalog::ACTION, || {
        let seen = catalog::seen_by(&app, &caller, Protocol::V2);
        let none = json!({"count": 0, "ns": 0});
        let stats = |entry: catalog::Entry| {
            json!({
                "name": entry.name, "version": entry.version, "last_inference": 0,
                "inference_count": 0, "execution_count": 0, "batch_stats": [],
                "inference_stats": {
                    "success": none, "fail": none, "queue": none, "compute_input": none,
                    "compute_infer": none, "compute_output": none,
                },
            })
        };
        json!({"model_stats": catalog::served(seen).map(stats).collect::<Vec<_>>()})
    })
    .await
}

async fn invocations(
    caller: Authenticated,
    State(app): AppState,
    request: Request,
) -> Response<Body> {
    let target = Target {
        model: &app.default_model,
        version: None,
        action: Action::Infer,
        protocol: Protocol::Invocations,
        mode: Mode::GatewaySealed,
        work: Work::GatewaySealed,
    };
    forward(&app, &caller, &target, request.map(Arriving::Body)).await
}

async fn key_list(
    caller: Authenticated,
    State(app): AppState,
    named: Named,
    request: Request,
) -> Response<Body> {
    before_sealing(&app, &caller, &named.model, Work::KeyList, request).await
}

async fn default_key_list(
    caller: Authenticated,
    State(app): AppState,
    request: Request,
) -> Response<Body> {
    before_sealing(&app, &caller, &app.default_model, Work::KeyList, request).await
}

async fn attestation(
    caller: Authenticated,
    State(app): AppState,
    request: Request,
) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    match Question::read(&query) {
        Ok((question, model)) => {
            let keys_model = question.key_id().and_then(|id| app.keyring.model(id));
            let model = model.or(keys_model.as_deref()).unwrap_or(&app.default_model);
            before_sealing(&app, &caller, model, Work::Attestation(question), request).await
        }
        Err(refusal) => refuse(&app, &caller, refusal).await,
    }
}

async fn own_proof(
    caller: Authenticated,
    State(app): AppState,
    Path(request_id): Path<String>,
) -> Response<Body> {
    proof::own(&app, &caller, &request_id).await
}

/// What a client asks about a model before it seals to it.
async fn before_sealing(
    app: &App,
    caller: &Authenticated,
    model: &str,
    work: Work,
    request: Request,
) -> Response<Body> {
    let target = Target {
        model,
        version: None,
        action: Action::DescribeModel,
        protocol: Protocol::Ohttp,
        mode: Mode::ClientSealed,
        work,
    };
    forward(app, caller, &target, request.map(Arriving::Body)).await
}

async fn not_found(caller: Authenticated, State(app): AppState) -> Response<Body> {
    refuse(&app, &caller, Refusal::NotFound).await
}

async fn method_not_allowed(caller: Authenticated, State(app): AppState) -> Response<Body> {
    refuse(&app, &caller, Refusal::MethodNotAllowed).await
}

/// A panic outside of `forward`, which has its own guard. Its message goes nowhere: it may hold
/// anything.
pub fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a request handler panicked");
    match RequestId::fresh() {
        Ok(id) => Refusal::Internal.response(id),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
