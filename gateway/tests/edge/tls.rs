//! The one way the edge speaks TLS.

use rustls::{NamedGroup, ProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{TestEdge, read, until};
use sealgate_gateway::edge::{EdgeError, TlsIdentity};

#[tokio::test]
async fn tls_1_3_with_the_post_quantum_group_is_spoken() {
    let edge = TestEdge::start();
    let stream = edge.connect().await;
    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(
        session.negotiated_key_exchange_group().map(|group| group.name()),
        Some(NamedGroup::X25519MLKEM768)
    );
}

#[tokio::test]
async fn http_2_is_preferred() {
    let edge = TestEdge::start();
    let stream = edge
        .handshake(TcpStream::connect(edge.address).await.unwrap(), &[b"http/1.1", b"h2"])
        .await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn no_ticket_and_no_early_data_are_offered() {
    let edge = TestEdge::start();
    let mut config = edge.client_config(&[b"http/1.1"]);
    config.enable_early_data = true;
    let config = std::sync::Arc::new(config);
    for _ in 0..2 {
        let connector = tokio_rustls::TlsConnector::from(config.clone());
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let mut stream =
            connector.connect(name, TcpStream::connect(edge.address).await.unwrap()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert!(!stream.get_ref().1.is_early_data_accepted());
    }
}

#[tokio::test]
async fn plain_http_is_closed() {
    let edge = TestEdge::start();
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    until("it is counted", || read(&edge.counters.handshake_failed) == 1).await;
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused() {
    let (one, other) = (TestEdge::start(), TestEdge::start());
    let outcome = TlsIdentity::from_pem_files(
        &one.folder.path().join("cert.pem"),
        &other.folder.path().join("key.pem"),
    );
    assert!(matches!(outcome, Err(EdgeError::Tls(_))));
}

#[tokio::test]
async fn a_file_without_certificate_is_refused() {
    let edge = TestEdge::start();
    let key = edge.folder.path().join("key.pem");
    assert!(matches!(
        TlsIdentity::from_pem_files(&key, &key),
        Err(EdgeError::NoCertificate { .. })
    ));
}
