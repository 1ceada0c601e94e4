//! Requests over HTTP/2.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sealgate_gateway::edge::EdgeLimits;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{DEADLINE, TestEdge, until};

async fn send(edge: &TestEdge, request: Request<Full<Bytes>>) -> (StatusCode, String) {
    let stream = edge.handshake(TcpStream::connect(edge.address).await.unwrap(), &[b"h2"]).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_request_with_a_body_is_served() {
    let edge = TestEdge::start();
    let request = Request::post("https://localhost/a").body(Full::from("hello")).unwrap();
    assert_eq!(send(&edge, request).await, (StatusCode::OK, "POST /a 5 from 127.0.0.1;".into()));
}

#[tokio::test]
async fn a_host_that_is_the_authority_is_served() {
    let edge = TestEdge::start();
    let request = Request::get("https://localhost/a")
        .header("host", "LOCALHOST")
        .body(Full::default())
        .unwrap();
    assert_eq!(send(&edge, request).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_host_beside_another_authority_is_refused() {
    let edge = TestEdge::start();
    let request =
        Request::get("https://localhost/a").header("host", "other").body(Full::default()).unwrap();
    let (status, body) = send(&edge, request).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("\"code\":\"http_ambiguous\""), "{body}");
    assert_eq!(edge.handled(), 0);
}

#[tokio::test]
async fn an_echo_of_the_request_is_refused() {
    let edge = TestEdge::start();
    let request = Request::builder()
        .method("TRACE")
        .uri("https://localhost/a")
        .body(Full::default())
        .unwrap();
    assert_eq!(send(&edge, request).await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(edge.handled(), 0);
}

/// A request that waits at the gate, and the connection's task.
async fn waiting_at(
    edge: &TestEdge,
) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>, JoinHandle<()>) {
    let stream = edge.handshake(TcpStream::connect(edge.address).await.unwrap(), &[b"h2"]).await;
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let task = tokio::spawn(async move {
        let _ = connection.await;
    });
    let request = Request::post("https://localhost/gate").body(()).unwrap();
    let free = handlers(edge);
    let (answer, body) = sender.send_request(request, false).unwrap();
    until("the handler runs", || handlers(edge) > free).await;
    (answer, body, task)
}

/// Each handler that waits at the gate holds it.
fn handlers(edge: &TestEdge) -> usize {
    Arc::strong_count(&edge.gate)
}

#[tokio::test]
async fn the_handler_of_a_request_that_is_reset_is_dropped() {
    let edge = TestEdge::start();
    let free = handlers(&edge);
    let (_answer, mut body, _task) = waiting_at(&edge).await;
    body.send_reset(h2::Reason::CANCEL);
    until("the handler is gone", || handlers(&edge) == free).await;
}

#[tokio::test]
async fn the_handlers_of_a_connection_that_breaks_are_dropped() {
    let edge = TestEdge::start();
    let free = handlers(&edge);
    let (_answer, _body, task) = waiting_at(&edge).await;
    task.abort();
    until("the handler is gone", || handlers(&edge) == free).await;
}

#[tokio::test]
async fn a_request_in_flight_is_answered_when_the_edge_is_stopped_and_then_the_edge_ends() {
    // Longer than this waits for the edge to end.
    let limits = EdgeLimits { drain_timeout_ms: 60_000, ..EdgeLimits::default() };
    let mut edge = TestEdge::with_limits(limits);
    let (answer, mut body, _task) = waiting_at(&edge).await;
    body.send_data(Bytes::new(), true).unwrap();
    edge.stop();
    while TcpStream::connect(edge.address).await.is_ok() {}
    edge.gate.add_permits(1);
    let mut frames = timeout(DEADLINE, answer).await.unwrap().unwrap().into_body();
    assert_eq!(frames.data().await.unwrap().unwrap(), "through the gate");
    assert!(frames.data().await.is_none());
    edge.served().await;
}
