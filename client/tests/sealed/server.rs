//! A TLS server that answers by a function and remembers what it was asked.

use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Clone)]
pub struct Asked {
    pub line: String,
    pub head: String,
    pub body: Vec<u8>,
}

/// What to answer.
pub struct Said {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

pub type Answers = Box<dyn Fn(&Asked) -> Said + Send + Sync>;

pub struct Server {
    pub url: String,
    pub ca_pem: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub async fn start(answers: Answers) -> Self {
        let names = vec!["127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that breaks off is what some tests are about.
                let _ = converse(stream, &acceptor, &answers, &seen).await;
            }
        });
        Self { url, ca_pem: cert.pem(), asked }
    }

    /// All that it was asked with this method.
    pub fn asked(&self, method: &str) -> Vec<Asked> {
        let all = self.asked.lock().unwrap();
        all.iter().filter(|asked| asked.line.starts_with(method)).cloned().collect()
    }
}

async fn converse(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    answers: &Answers,
    seen: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let Some(asked) = read(&mut stream).await? else { return Ok(()) };
    let said = answers(&asked);
    seen.lock().unwrap().push(asked);
    let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", said.status);
    for (name, value) in &said.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", said.body.len()));
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&said.body).await?;
    stream.shutdown().await
}

async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Option<Asked>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let line = String::from_utf8_lossy(&bytes[..end]).lines().next().unwrap().into();
                return Ok(Some(Asked { line, head, body: bytes[end + 4..].to_vec() }));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}
