//! A TLS server that says one thing to everyone.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;

pub struct Server {
    pub url: String,
    pub ca_pem: String,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    pub async fn answering(status: &str, headers: &str, body: Vec<u8>) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        let answer = [head.into_bytes(), body].concat();
        Self::start(answer, &[&TLS13]).await
    }

    pub async fn outdated() -> Self {
        Self::start(Vec::new(), &[&TLS12]).await
    }

    /// What the first connection sent.
    pub async fn seen(&self) -> String {
        String::from_utf8(self.seen.lock().await.clone()).unwrap()
    }

    async fn start(
        answer: Vec<u8>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Self {
        let names = vec!["127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(serve(listener, acceptor, answer, Arc::clone(&seen)));
        Self { url, ca_pem: cert.pem(), seen }
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    answer: Vec<u8>,
    seen: Arc<Mutex<Vec<u8>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        // A client that breaks off is what some tests are about.
        let _ = converse(stream, &acceptor, &answer, &seen).await;
    }
}

async fn converse(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    answer: &[u8],
    seen: &Mutex<Vec<u8>>,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    seen.lock().await.extend(request);
    stream.write_all(answer).await?;
    stream.shutdown().await
}
