//! A running edge with a router that tells what it saw, and clients for it.

use std::fs::{Permissions, set_permissions};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Extension;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DEFAULT_VERSIONS, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use sealgate_gateway::edge::{
    ClientAddress, Edge, EdgeConfig, EdgeCounters, EdgeLimits, TlsIdentity,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Long enough for a loaded machine; every wait ends with the first success.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// An edge that serves until it is dropped or stopped.
pub struct TestEdge {
    pub address: SocketAddr,
    pub counters: Arc<EdgeCounters>,
    /// Requests whose handler ran.
    pub handled: Arc<AtomicU64>,
    /// Requests to `/gate` wait for one of these.
    pub gate: Arc<Semaphore>,
    pub folder: tempfile::TempDir,
    pub identity: TlsIdentity,
    certificate: CertificateDer<'static>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl TestEdge {
    pub fn start() -> Self {
        Self::with(EdgeLimits::default(), |_| {})
    }

    pub fn with_limits(limits: EdgeLimits) -> Self {
        Self::with(limits, |_| {})
    }

    pub fn with(limits: EdgeLimits, change: impl FnOnce(&mut EdgeConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])
            .unwrap();
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        let identity = TlsIdentity::from_pem_files(&cert, &key).unwrap();
        let mut config = EdgeConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            cert,
            key,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            limits,
        };
        change(&mut config);
        let edge = Edge::bind(config, identity.clone()).unwrap();
        let (handled, gate) = (Arc::new(AtomicU64::new(0)), Arc::new(Semaphore::new(0)));
        let (stop, stopped) = oneshot::channel();
        let (address, counters) = (edge.local_addr(), edge.counters());
        let routes = router(Arc::clone(&handled), Arc::clone(&gate));
        let served = tokio::spawn(edge.serve(routes, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            counters,
            handled,
            gate,
            folder,
            identity,
            certificate: made.cert.der().clone(),
            stop: Some(stop),
            served,
        }
    }

    pub fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until `serve` has returned.
    pub async fn served(self) {
        timeout(DEADLINE, self.served).await.unwrap().unwrap();
    }

    pub fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    pub fn client_config(&self, alpn: &[&[u8]]) -> ClientConfig {
        self.client_config_of(DEFAULT_VERSIONS, alpn)
    }

    pub fn client_config_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn: &[&[u8]],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config
    }

    /// For a test that looks at what it is shown.
    pub fn client_config_that_trusts_all(&self, alpn: &[&[u8]]) -> Arc<ClientConfig> {
        let mut config = self.client_config(alpn);
        config.dangerous().set_certificate_verifier(Arc::new(TrustsAll));
        Arc::new(config)
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        self.handshake(TcpStream::connect(self.address).await.unwrap(), &[b"http/1.1"]).await
    }

    pub async fn handshake(&self, stream: TcpStream, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
        let connector = TlsConnector::from(Arc::new(self.client_config(alpn)));
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
    }

    /// Sends the bytes and reads until the edge closes.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }
}

/// Takes any certificate; its signatures are still checked.
#[derive(Debug)]
struct TrustsAll;

impl ServerCertVerifier for TrustsAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Reads until the other side closes, in whatever way.
pub async fn read_to_end(stream: &mut TlsStream<TcpStream>) -> String {
    let mut answer = Vec::new();
    let _ =
        timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("the edge closes in time");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Polls until `holds`, or fails at the deadline.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

pub fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// `/` tells what it saw, `/early` answers without reading, `/late-body` as well, with a body that takes its time,
/// `/gate` waits.
fn router(handled: Arc<AtomicU64>, gate: Arc<Semaphore>) -> Router {
    let counting = Arc::clone(&handled);
    let tell = move |method: Method,
                     uri: Uri,
                     Extension(ClientAddress(client)): Extension<ClientAddress>,
                     body: Bytes| async move {
        counting.fetch_add(1, Ordering::Relaxed);
        told(&method, &uri, &body, client)
    };
    let early = move || async move {
        handled.fetch_add(1, Ordering::Relaxed);
        (StatusCode::UNAUTHORIZED, EARLY_ANSWER)
    };
    let late = || async {
        (StatusCode::UNAUTHORIZED, axum::body::Body::new(LateBody(Some(EARLY_ANSWER))))
    };
    let wait = move || async move {
        gate.acquire().await.unwrap().forget();
        "through the gate"
    };
    Router::new()
        .route("/early", any(early))
        .route("/late-body", any(late))
        .route("/gate", any(wait))
        .fallback(tell)
}

/// Holds its thread up before the only frame, as a busy machine does.
struct LateBody(Option<&'static str>);

impl http_body::Body for LateBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::thread::sleep(Duration::from_millis(50));
        Poll::Ready(self.0.take().map(|text| Ok(http_body::Frame::data(Bytes::from(text)))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

fn told(method: &Method, uri: &Uri, body: &Bytes, client: IpAddr) -> Response {
    format!("{method} {} {} from {client};", uri.path(), body.len()).into_response()
}

pub const EARLY_ANSWER: &str = r#"{"error":"no token","code":"token_missing","padding":"0123456789012345678901234567890123456789"}"#;
