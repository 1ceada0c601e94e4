//! Paths to handlers. Health needs no token; everything else begins with [`Authenticated`].

use std::any::Any;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use sealgate_policies::{Action, Protocol};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;
use crate::callers::Verified;
use crate::edge::ClientAddress;
use crate::forward::{Target, forward, refuse};
use crate::journal::now_s;
use crate::refusal::Refusal;
use crate::request_id::RequestId;

/// All routes over `app`.
pub fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/v2/health/live", get(live))
        .route("/v2/health/ready", get(ready))
        .route("/v2", get(server))
        .route("/v2/models/{model}", get(describe))
        .route("/v2/models/{model}/ready", get(describe))
        .route("/v2/models/{model}/infer", post(infer))
        .route("/v2/models/{model}/versions/{version}", get(describe_version))
        .route("/v2/models/{model}/versions/{version}/ready", get(describe_version))
        .route("/v2/models/{model}/versions/{version}/infer", post(infer_version))
        .route("/invocations", post(invocations))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
        .layer(SetResponseHeaderLayer::overriding(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(CatchPanicLayer::custom(panicked))
}

/// A request whose token has been verified and which has a place among those in flight.
pub struct Authenticated {
    /// The request's id.
    pub id: RequestId,
    /// Who asks.
    pub verified: Arc<Verified>,
    /// From where.
    pub address: ClientAddress,
    /// When, in seconds since 1970.
    pub now_s: u64,
    _place: OwnedSemaphorePermit,
}

impl FromRequestParts<Arc<App>> for Authenticated {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response<Body>> {
        let id = RequestId::fresh().map_err(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())?;
        let now_s = now_s();
        let admit = || {
            // The edge puts it there for every request; without it nobody can say who asks.
            let address = *parts.extensions.get::<ClientAddress>().ok_or(Refusal::Internal)?;
            let place =
                app.in_flight.clone().try_acquire_owned().map_err(|_| Refusal::Overloaded)?;
            let verified =
                app.callers.authenticate(&parts.headers, now_s).map_err(Refusal::Token)?;
            Ok(Self { id, verified, address, now_s, _place: place })
        };
        admit().map_err(|refusal: Refusal| {
            app.journal.count_refusal(refusal.code(), now_s);
            refusal.response(id)
        })
    }
}

async fn live() -> Json<serde_json::Value> {
    Json(json!({"live": true}))
}

async fn ready(State(app): State<Arc<App>>) -> Response<Body> {
    let ready = app.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready}))).into_response()
}

async fn server(_: Authenticated) -> Json<serde_json::Value> {
    Json(json!({"name": "sealgate", "version": env!("CARGO_PKG_VERSION"), "extensions": []}))
}

type Model = Path<String>;
type Version = Path<(String, String)>;
type AppState = State<Arc<App>>;

async fn infer(
    caller: Authenticated,
    State(app): AppState,
    Path(model): Model,
    request: Request,
) -> Response<Body> {
    let target =
        Target { model: &model, version: None, action: Action::Infer, protocol: Protocol::V2 };
    forward(&app, &caller, &target, request).await
}

async fn infer_version(
    caller: Authenticated,
    State(app): AppState,
    Path((model, version)): Version,
    request: Request,
) -> Response<Body> {
    let target = Target {
        model: &model,
        version: Some(&version),
        action: Action::Infer,
        protocol: Protocol::V2,
    };
    forward(&app, &caller, &target, request).await
}

async fn describe(
    caller: Authenticated,
    State(app): AppState,
    Path(model): Model,
    request: Request,
) -> Response<Body> {
    let target = Target {
        model: &model,
        version: None,
        action: Action::DescribeModel,
        protocol: Protocol::V2,
    };
    forward(&app, &caller, &target, request).await
}

async fn describe_version(
    caller: Authenticated,
    State(app): AppState,
    Path((model, version)): Version,
    request: Request,
) -> Response<Body> {
    let target = Target {
        model: &model,
        version: Some(&version),
        action: Action::DescribeModel,
        protocol: Protocol::V2,
    };
    forward(&app, &caller, &target, request).await
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
    };
    forward(&app, &caller, &target, request).await
}

async fn not_found(caller: Authenticated, State(app): AppState) -> Response<Body> {
    refuse(&app, &caller, Refusal::NotFound).await
}

async fn method_not_allowed(
    caller: Authenticated,
    State(app): AppState,
    _: Method,
) -> Response<Body> {
    refuse(&app, &caller, Refusal::MethodNotAllowed).await
}

/// A panic costs one request an answer. Its message goes nowhere: it may hold anything.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a request handler panicked");
    match RequestId::fresh() {
        Ok(id) => Refusal::Internal.response(id),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
