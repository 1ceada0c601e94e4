//! Connections over the caps are closed before the handshake.

use sealgate_gateway::edge::EdgeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{TestEdge, read, until};

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
    // Each failed attempt is itself counted, so it is tried until one is let in.
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(edge.address).await.unwrap();
        let refused = read(&edge.counters.refused_total);
        if stream.write_all(&[0; 64]).await.is_ok() && read(&edge.counters.refused_total) == refused
        {
            let failed = read(&edge.counters.handshake_failed);
            let _ = stream.read(&mut [0]).await;
            if read(&edge.counters.handshake_failed) > failed || failed > 0 {
                return;
            }
        }
    }
    panic!("no room came back");
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
