//! The one way the edge speaks TLS.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use rustls::{AlertDescription, NamedGroup, ProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

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
async fn a_client_that_speaks_only_tls_1_2_is_refused() {
    let edge = TestEdge::start();
    let tls_1_2 = rustls::ALL_VERSIONS
        .iter()
        .copied()
        .find(|known| known.version == ProtocolVersion::TLSv1_2)
        .expect("rustls is built with `tls12`, or there is nothing to refuse");
    let connector = TlsConnector::from(Arc::new(edge.client_config_of(&[tls_1_2], &[b"http/1.1"])));
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(edge.address).await.unwrap();
    let error = connector.connect(name, stream).await.unwrap_err();
    assert_eq!(
        error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()),
        Some(&rustls::Error::AlertReceived(AlertDescription::ProtocolVersion))
    );
    until("it is counted", || read(&edge.counters.handshake_failed) == 1).await;
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
    let config = Arc::new(config);
    for _ in 0..2 {
        let connector = TlsConnector::from(config.clone());
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

#[tokio::test]
async fn a_key_file_that_is_open_to_other_users_is_refused_with_a_hint() {
    let edge = TestEdge::start();
    let (cert, key) = (edge.folder.path().join("cert.pem"), edge.folder.path().join("key.pem"));
    for open in [0o640, 0o620, 0o604, 0o602] {
        set_permissions(&key, Permissions::from_mode(open)).unwrap();
        let error = TlsIdentity::from_pem_files(&cert, &key).err().unwrap();
        assert!(matches!(&error, EdgeError::NotPrivate { mode, .. } if *mode == open), "{error}");
        assert!(error.to_string().contains("\nhint: chmod 600 "), "{error}");
    }
    for private in [0o600, 0o400] {
        set_permissions(&key, Permissions::from_mode(private)).unwrap();
        assert!(TlsIdentity::from_pem_files(&cert, &key).is_ok(), "{private:o}");
    }
}

#[tokio::test]
async fn a_key_file_that_lost_its_line_breaks_is_refused_without_being_quoted() {
    let edge = TestEdge::start();
    let (cert, key) = (edge.folder.path().join("cert.pem"), edge.folder.path().join("key.pem"));
    let one_line = std::fs::read_to_string(&key).unwrap().replace(['\r', '\n'], " ");
    std::fs::write(&key, one_line).unwrap();
    let error = TlsIdentity::from_pem_files(&cert, &key).err().unwrap();
    assert!(matches!(error, EdgeError::Pem { .. }), "{error}");
    // The parser's error holds the line as a list of numbers, which begins with five hyphens.
    assert!(!format!("{error} {error:?}").contains("45, 45"), "{error}");
}
