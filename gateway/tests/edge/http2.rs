//! Requests over HTTP/2.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::TestEdge;

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
