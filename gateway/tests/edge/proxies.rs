//! PROXY v2 and X-Forwarded-For, believed from listed proxies only.

use sealgate_gateway::edge::EdgeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{TestEdge, read, read_to_end, until};

const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x7f\x00\x00\x01\x30\x39\x01\xbb";
const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.9\r\nConnection: close\r\n\r\n";

fn behind(proxy: &str, proxy_protocol: bool) -> TestEdge {
    TestEdge::with(EdgeLimits::default(), |config| {
        config.trusted_proxies = vec![proxy.parse().unwrap()];
        config.proxy_protocol = proxy_protocol;
    })
}

#[tokio::test]
async fn a_listed_proxys_header_field_names_the_client() {
    let edge = behind("127.0.0.1/32", false);
    assert!(edge.exchange(REQUEST).await.ends_with("from 198.51.100.9;"));
}

#[tokio::test]
async fn a_listed_proxys_v2_header_names_the_client() {
    let edge = behind("127.0.0.1/32", true);
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(V2).await.unwrap();
    let mut stream = edge.handshake(stream, &[b"http/1.1"]).await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(read_to_end(&mut stream).await.ends_with("from 192.0.2.7;"));
}

async fn is_closed_unanswered(edge: &TestEdge, bytes: &[u8]) {
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    // At most a TLS alert.
    assert!(answer.len() <= 7, "{answer:?}");
    assert_eq!(edge.handled(), 0);
}

#[tokio::test]
async fn a_listed_proxy_without_its_header_is_closed() {
    let edge = behind("127.0.0.1/32", true);
    is_closed_unanswered(&edge, &[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, 0, 0, 0, 0, 0, 0]).await;
    until("it is counted", || read(&edge.counters.refused_proxy_header) == 1).await;
}

#[tokio::test]
async fn a_version_1_header_is_closed() {
    let edge = behind("127.0.0.1/32", true);
    is_closed_unanswered(&edge, b"PROXY TCP4 192.0.2.7 127.0.0.1 12345 443\r\n").await;
    until("it is counted", || read(&edge.counters.refused_proxy_header) == 1).await;
}

#[tokio::test]
async fn an_unlisted_peers_header_is_not_read() {
    let edge = behind("10.0.0.0/8", true);
    is_closed_unanswered(&edge, V2).await;
    until("it failed as TLS", || read(&edge.counters.handshake_failed) == 1).await;
}

#[tokio::test]
async fn an_unlisted_peer_needs_no_header_and_names_nobody() {
    let edge = behind("10.0.0.0/8", true);
    assert!(edge.exchange(REQUEST).await.ends_with("from 127.0.0.1;"));
}
