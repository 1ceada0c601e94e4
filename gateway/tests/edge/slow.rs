//! Clients that only wait do not stay.

use std::time::Duration;

use sealgate_gateway::edge::EdgeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{TestEdge, read, read_to_end, until};

const CLIENTS: u64 = 50;

fn impatient() -> EdgeLimits {
    EdgeLimits {
        handshake_timeout_ms: 1_500,
        first_byte_timeout_ms: 300,
        header_timeout_ms: 300,
        idle_timeout_ms: 300,
        linger_ms: 200,
        ..EdgeLimits::default()
    }
}

/// Runs all clients at once and waits for their ends.
async fn join_all<F: Future<Output = ()> + Send + 'static>(clients: impl Iterator<Item = F>) {
    clients.collect::<JoinSet<()>>().join_all().await;
}

#[tokio::test]
async fn those_that_never_send_a_byte_are_gone() {
    let edge = TestEdge::with_limits(EdgeLimits { handshake_timeout_ms: 200, ..impatient() });
    let address = edge.address;
    join_all((0..CLIENTS).map(|_| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.read(&mut [0]).await;
    }))
    .await;
    assert_eq!(read(&edge.counters.handshake_timed_out), CLIENTS);
}

#[tokio::test]
async fn those_that_trickle_the_handshake_are_gone() {
    let edge = TestEdge::with_limits(EdgeLimits { handshake_timeout_ms: 300, ..impatient() });
    let address = edge.address;
    join_all((0..CLIENTS).map(|_| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A record that announces 512 bytes of ClientHello and brings them one by one.
        stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc]).await.unwrap();
        while stream.write_all(&[0]).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    }))
    .await;
    until("all are counted", || read(&edge.counters.handshake_timed_out) == CLIENTS).await;
}

#[tokio::test]
async fn those_that_only_shake_hands_are_gone() {
    let edge = TestEdge::with_limits(EdgeLimits { handshake_timeout_ms: 10_000, ..impatient() });
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        streams.push(edge.connect().await);
    }
    for mut stream in streams {
        read_to_end(&mut stream).await;
    }
    assert_eq!(read(&edge.counters.first_byte_timed_out), CLIENTS);
}

#[tokio::test]
async fn those_that_trickle_the_head_are_gone() {
    let edge = TestEdge::with_limits(EdgeLimits {
        handshake_timeout_ms: 10_000,
        first_byte_timeout_ms: 10_000,
        ..impatient()
    });
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = edge.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ").await.unwrap();
        streams.push(stream);
    }
    join_all(streams.into_iter().map(|mut stream| async move {
        while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    }))
    .await;
    assert_eq!(read(&edge.counters.header_timed_out), CLIENTS);
    assert_eq!(edge.handled(), 0);
}

#[tokio::test]
async fn one_that_sends_nothing_further_is_closed_in_order() {
    let edge = TestEdge::with_limits(impatient());
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("closed with close_notify");
    assert_eq!(read(&edge.counters.idle_timed_out), 1);
}

#[tokio::test]
async fn a_silent_http_2_client_is_gone() {
    let edge = TestEdge::with_limits(impatient());
    let mut stream =
        edge.handshake(TcpStream::connect(edge.address).await.unwrap(), &[b"h2"]).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    read_to_end(&mut stream).await;
    assert_eq!(read(&edge.counters.first_byte_timed_out), 1);
}

#[tokio::test]
async fn a_client_whose_answer_takes_long_is_left_alone() {
    let edge = TestEdge::with_limits(impatient());
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /gate HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    // The claim is about time that passes, so here it must.
    sleep(Duration::from_millis(900)).await;
    edge.gate.add_permits(1);
    assert!(read_to_end(&mut stream).await.ends_with("through the gate"));
}
