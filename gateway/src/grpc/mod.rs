//! `inference.GRPCInferenceService` over HTTP/2, on the same port and under the same policy.
//!
//! A message names its model itself, so the gateway reads it and looks for that name, by
//! [`Names::scan`], and for nothing else. The worker compares the name with the grant, decodes and
//! encodes; the gateway adds frames and statuses.

mod frame;
mod own;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::map_response;
use axum::routing::post;
use sealgate_keys::grpc::{MEDIA_TYPE, Names};
use sealgate_policies::{Action, Mode, Protocol};

use crate::app::App;
use crate::body::{self, Arriving, Room};
use crate::forward::{Target, Work, forward, may_describe, refuse};
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::routes::Authenticated;

/// The routes of the service, each answering in frames and trailers.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/inference.GRPCInferenceService/ServerLive", post(live))
        .route("/inference.GRPCInferenceService/ServerReady", post(ready))
        .route("/inference.GRPCInferenceService/ServerMetadata", post(server))
        .route("/inference.GRPCInferenceService/RepositoryIndex", post(index))
        .route("/inference.GRPCInferenceService/ModelInfer", post(infer))
        .route("/inference.GRPCInferenceService/{method}", post(describe))
        .layer(map_response(status::answered))
}

async fn live() -> Response<Body> {
    message(own::yes())
}

async fn ready(State(app): State<Arc<App>>) -> Response<Body> {
    message(if app.is_ready() { own::yes() } else { own::no() })
}

async fn server(caller: Authenticated, State(app): State<Arc<App>>) -> Response<Body> {
    match may_describe(&app, &caller, "describe_server").await {
        Ok(()) => known(&caller, own::server()),
        Err(refused) => refused,
    }
}

async fn index(caller: Authenticated, State(app): State<Arc<App>>) -> Response<Body> {
    match may_describe(&app, &caller, crate::catalog::ACTION).await {
        Ok(()) => {
            let seen = crate::catalog::seen_by(&app, &caller, Protocol::Grpc);
            known(&caller, own::index(&seen))
        }
        Err(refused) => refused,
    }
}

async fn infer(
    caller: Authenticated,
    State(app): State<Arc<App>>,
    request: Request,
) -> Response<Body> {
    match Asked::read(&app, request).await {
        Ok(asked) => ask(&app, &caller, Action::Infer, asked).await,
        Err(refusal) => refuse(&app, &caller, refusal).await,
    }
}

async fn describe(
    caller: Authenticated,
    State(app): State<Arc<App>>,
    Path(method): Path<String>,
    request: Request,
) -> Response<Body> {
    if !DESCRIPTIONS.contains(&method.as_str()) {
        return refuse(&app, &caller, Refusal::MethodNotAllowed).await;
    }
    match Asked::read(&app, request).await {
        // Protobuf writes no empty name.
        Ok(asked) if method == STATISTICS && asked.message.is_empty() => {
            statistics(&app, &caller).await
        }
        Ok(asked) => ask(&app, &caller, Action::DescribeModel, asked).await,
        Err(refusal) => refuse(&app, &caller, refusal).await,
    }
}

/// Of all models that the caller may describe.
async fn statistics(app: &App, caller: &Authenticated) -> Response<Body> {
    match may_describe(app, caller, crate::catalog::ACTION).await {
        Ok(()) => {
            let seen = crate::catalog::seen_by(app, caller, Protocol::Grpc);
            known(caller, own::statistics(crate::catalog::served(seen)))
        }
        Err(refused) => refused,
    }
}

/// What can be asked about a model without rows.
const DESCRIPTIONS: [&str; 4] = ["ModelReady", "ModelMetadata", "ModelConfig", STATISTICS];
/// The one of them that can be asked about all models at once.
const STATISTICS: &str = "ModelStatistics";

/// A request whose message has come.
struct Asked {
    parts: Parts,
    message: Vec<u8>,
    room: Room,
}

impl Asked {
    async fn read(app: &App, request: Request) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let (frames, room) = body::read(&app.capacity, body).await?;
        Ok(Self { parts, message: frame::message(frames)?, room })
    }
}

async fn ask(app: &App, caller: &Authenticated, action: Action, asked: Asked) -> Response<Body> {
    let Asked { parts, message, room } = asked;
    let Ok(names) = Names::scan(&message) else {
        return refuse(app, caller, Refusal::Frame).await;
    };
    let (model, version) = (names.model.to_owned(), names.version.map(str::to_owned));
    let target = Target {
        model: &model,
        version: version.as_deref(),
        action,
        protocol: Protocol::Grpc,
        mode: Mode::GatewaySealed,
        work: Work::GatewaySealed,
    };
    let request = http::Request::from_parts(parts, Arriving::Read(message, room));
    forward(app, caller, &target, request).await
}

fn known(caller: &Authenticated, bytes: Vec<u8>) -> Response<Body> {
    let mut response = message(bytes);
    response.headers_mut().insert(RequestId::HEADER, caller.id.header());
    response
}

/// A message of the gateway's own; its frame comes with its status.
fn message(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}
