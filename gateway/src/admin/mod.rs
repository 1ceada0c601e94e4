//! The admin listener: an address of its own, the same tokens, the same rules.
//!
//! | path | action in rules | |
//! |---|---|---|
//! | `GET /v1/admin/standing` | `reload_policies` | policy, orders in force, workers |
//! | `POST /v1/admin/reload` | `reload_policies` | reads the policy folder again |
//! | `POST /v1/admin/emergency` | `emergency` | takes an [`Order`] |
//! | `POST /v1/admin/review` | `review_audit` | whether the caller may see the review page, and who he is |
//! | `GET /v1/admin/pools` | `read_usage` | workers of each model, their load, R = Ra/Ro of late |
//! | `GET /metrics` | `read_usage` | Prometheus' text format |
//! | `GET /livez`, `/readyz` | no token | as on the public address, and also while that one drains |
//!
//! What was allowed is on record before it is done, and what was done beside it. Places and room for
//! bodies are the listener's own ([`Capacity`](crate::capacity::Capacity)).

mod metrics;
mod orders;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use sealgate_policies::GatewayAction;
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use crate::admit::admit;
use crate::app::App;
use crate::body;
use crate::emergency::Order;
use crate::policy::Cause;
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::routes::{self, Authenticated, panicked};

/// All admin routes over `app`.
pub fn admin_routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(async || Json(json!({"live": true}))))
        .route("/readyz", get(routes::standing))
        .route("/v1/admin/standing", get(standing))
        .route("/v1/admin/reload", post(reload))
        .route("/v1/admin/emergency", post(emergency))
        .route("/v1/admin/review", post(review))
        .route("/v1/admin/pools", get(pools))
        .route("/metrics", get(scrape))
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(app)
        .layer(CatchPanicLayer::custom(panicked))
}

type AppState = State<Arc<App>>;

/// A request whose token has been verified and which has one of the admin listener's own places.
/// What it may do is for the rules to say.
struct Admin(Authenticated);

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response<Body>> {
        Authenticated::within(&app.admin_capacity, app, parts).await.map(Self)
    }
}

async fn standing(Admin(caller): Admin, State(app): AppState) -> Response<Body> {
    if let Err(refused) = admit(&app, &caller, GatewayAction::ReloadPolicies).await {
        return refused;
    }
    let models = app.models.all();
    let versions: Vec<_> = models.iter().flat_map(|served| served.standing()).collect();
    let workers: Vec<_> = models
        .iter()
        .flat_map(|served| served.versions())
        .flat_map(|version| version.workers())
        .collect();
    let refused = app.repository.as_ref().map(|repository| repository.refused());
    let refused: Vec<_> = refused
        .into_iter()
        .flatten()
        .map(|((model, version), why)| json!({"model": model, "version": version, "why": why}))
        .collect();
    let told = json!({
        "policy": {
            "digest": app.policy.current().digest().hex(),
            "newest": app.policy.is_newest(),
            "mistakes": app.policy.mistakes(),
        },
        "emergency": app.emergency.standing(caller.now_s),
        "models": versions,
        "models_refused": refused,
        "workers": workers,
    });
    answer(&caller, StatusCode::OK, told)
}

async fn reload(Admin(caller): Admin, State(app): AppState) -> Response<Body> {
    if let Err(refused) = admit(&app, &caller, GatewayAction::ReloadPolicies).await {
        return refused;
    }
    let (policy, journal) = (app.policy.clone(), app.journal.clone());
    let reloaded = tokio::task::spawn_blocking(move || policy.reload(Cause::Admin, &journal)).await;
    match reloaded {
        Ok(Ok(reloaded)) => {
            let told = json!({"digest": reloaded.digest.hex(), "changed": reloaded.changed});
            answer(&caller, StatusCode::OK, told)
        }
        Ok(Err(why)) => {
            let told = json!({"error": "the last good policy stays in force",
                "code": "policy_refused", "mistakes": why.lines()});
            answer(&caller, StatusCode::UNPROCESSABLE_ENTITY, told)
        }
        Err(_) => app.receipts.refuse(Refusal::Internal, &caller),
    }
}

async fn emergency(Admin(caller): Admin, State(app): AppState, request: Request) -> Response<Body> {
    if let Err(refused) = admit(&app, &caller, GatewayAction::Emergency).await {
        return refused;
    }
    let order = match body::read(&app.admin_capacity, request.into_body()).await {
        Ok((bytes, _room)) => serde_json::from_slice::<Order>(&bytes).ok(),
        Err(refusal) => return app.receipts.refuse(refusal, &caller),
    };
    match order.filter(Order::is_bounded) {
        Some(order) => match orders::carry_out(&app, &caller, order).await {
            Ok(told) => answer(&caller, StatusCode::OK, told),
            Err(refusal) => app.receipts.refuse(refusal, &caller),
        },
        None => app.receipts.refuse(Refusal::Order, &caller),
    }
}

/// The review page is another process, for a gateway holds no index; whom it lets in is decided and
/// recorded here.
async fn review(Admin(caller): Admin, State(app): AppState) -> Response<Body> {
    if let Err(refused) = admit(&app, &caller, GatewayAction::ReviewAudit).await {
        return refused;
    }
    let (issuer, subject) = caller.verified.identity();
    answer(&caller, StatusCode::OK, json!({"issuer": issuer, "subject": subject}))
}

async fn pools(Admin(caller): Admin, State(app): AppState) -> Response<Body> {
    if let Err(refused) = admit(&app, &caller, GatewayAction::ReadUsage).await {
        return refused;
    }
    let pools: Vec<_> = app.models.pools().iter().map(|pool| pool.standing()).collect();
    answer(&caller, StatusCode::OK, json!({ "pools": pools }))
}

async fn scrape(Admin(caller): Admin, State(app): AppState) -> Response<Body> {
    match admit(&app, &caller, GatewayAction::ReadUsage).await {
        Ok(()) => {
            let scraped = tokio::task::spawn_blocking(move || metrics::text(&app)).await;
            let Ok(text) = scraped else {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            };
            let mut response = text.into_response();
            let kind = HeaderValue::from_static("text/plain; version=0.0.4");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(refused) => refused,
    }
}

fn answer(caller: &Authenticated, status: StatusCode, told: serde_json::Value) -> Response<Body> {
    let mut response = (status, Json(told)).into_response();
    response.headers_mut().insert(RequestId::HEADER, caller.id.header());
    response
}
