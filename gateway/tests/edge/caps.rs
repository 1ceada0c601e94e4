//! Connections over the caps are closed before the handshake.

use sealgate_gateway::edge::EdgeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{DEADLINE, TestEdge, read, until};

async fn is_closed_at_once(edge: &TestEdge) {
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn one_more_than_the_total_is_closed_and_room_comes_back() {
    let edge = TestEdge::with_limits(EdgeLimits { connections_max: 2, ..EdgeLimits::default() });
    let held = [edge.connect().await, edge.connect().await];
    is_closed_at_once(&edge).await;
    assert_eq!(read(&edge.counters.refused_total), 1);
    drop(held);
    timeout(DEADLINE, async { while !is_let_in(&edge).await {} }).await.unwrap();
}

/// Garbage is answered with a TLS alert, a refused connection with nothing.
async fn is_let_in(edge: &TestEdge) -> bool {
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    let _ = stream.write_all(&[0; 64]).await;
    matches!(stream.read(&mut [0]).await, Ok(1))
}

#[tokio::test]
async fn one_more_than_an_address_may_have_is_closed() {
    let edge = TestEdge::with_limits(EdgeLimits {
        connections_per_address_max: 2,
        ..EdgeLimits::default()
    });
    let _held = [edge.connect().await, edge.connect().await];
    is_closed_at_once(&edge).await;
    until("it is counted", || read(&edge.counters.refused_address) == 1).await;
}

#[tokio::test]
async fn a_trusted_proxy_may_have_more_than_a_client() {
    let limits = EdgeLimits { connections_per_address_max: 1, ..EdgeLimits::default() };
    let edge = TestEdge::with(limits, |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]
    });
    let _held = [edge.connect().await, edge.connect().await];
    assert_eq!(read(&edge.counters.refused_address), 0);
}
