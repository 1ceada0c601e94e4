//! A stop loses no request in flight and waits for nobody for ever.

use std::time::Duration;

use sealgate_gateway::edge::EdgeLimits;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{TestEdge, read, read_to_end, until};

const GATE: &[u8] = b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_request_in_flight_is_answered_and_then_the_edge_ends() {
    let mut edge = TestEdge::start();
    let mut stream = edge.connect().await;
    stream.write_all(GATE).await.unwrap();
    until("the request is in flight", || read(&edge.counters.requests) == 1).await;
    edge.stop();
    while TcpStream::connect(edge.address).await.is_ok() {}
    edge.gate.add_permits(1);
    let answer = read_to_end(&mut stream).await;
    assert!(
        answer.ends_with("through the gate") && answer.contains("connection: close"),
        "{answer}"
    );
    drop(stream);
    edge.served().await;
}

#[tokio::test]
async fn idle_connections_are_closed_and_no_others_taken() {
    let mut edge = TestEdge::start();
    let mut idle = edge.connect().await;
    let address = edge.address;
    edge.stop();
    read_to_end(&mut idle).await;
    drop(idle);
    edge.served().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_at_the_deadline() {
    let mut edge =
        TestEdge::with_limits(EdgeLimits { drain_timeout_ms: 200, ..EdgeLimits::default() });
    let mut stream = edge.connect().await;
    stream.write_all(GATE).await.unwrap();
    until("the request is in flight", || read(&edge.counters.requests) == 1).await;
    edge.stop();
    tokio::time::timeout(Duration::from_secs(10), edge.served()).await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
}
