//! An issuer with a TLS server of its own, which can be told to misbehave.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use sealgate_audit::{CheckpointKey, Log, Options, Origin};
use sealgate_policies::{Folder, PolicySet, Profile};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::journal::{Journal, now_us};
use crate::names::Names;

pub const NOW_S: u64 = 1_795_000_000;

/// A key that tokens are signed with.
pub struct Key {
    pub kid: String,
    pair: EcdsaKeyPair,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: kid.to_owned(), pair }
    }

    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (b64(&point[1..33]), b64(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "x": x, "y": y})
    }

    pub fn token(&self) -> String {
        self.token_called(&self.kid)
    }

    /// Signed by this key, and naming another.
    pub fn token_called(&self, kid: &str) -> String {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid});
        let claims = json!({
            "iss": "https://login.example.org", "aud": "sealgate", "sub": "dr-house",
            "client_id": "ward-7", "jti": "1", "iat": NOW_S, "exp": NOW_S + 600,
            "tenant": "general-hospital",
        });
        let signed = format!(
            "{}.{}",
            b64(header.to_string().as_bytes()),
            b64(claims.to_string().as_bytes())
        );
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", b64(signature.as_ref()))
    }
}

pub fn jwks(keys: &[&Key]) -> String {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
}

/// What the server does with a request.
#[derive(Clone)]
pub enum Answer {
    /// Sends these bytes and closes.
    Send(Arc<str>),
    /// The same, a while later.
    Late(Duration, Arc<str>),
    /// Says nothing.
    Hold,
}

impl Answer {
    pub fn keys(keys: &[&Key]) -> Self {
        Self::of("200 OK", "", &jwks(keys))
    }

    pub fn after(self, wait: Duration) -> Self {
        match self {
            Self::Send(text) => Self::Late(wait, text),
            other => other,
        }
    }

    pub fn of(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
        Self::Send(format!("{head}{body}").into())
    }
}

/// The server; it stops when it is dropped.
pub struct IssuerServer {
    pub url: String,
    pub fetches: Arc<AtomicUsize>,
    pub folder: tempfile::TempDir,
    journals: AtomicUsize,
    answer: Arc<Mutex<Answer>>,
    serving: tokio::task::JoinHandle<()>,
}

impl IssuerServer {
    pub async fn start(answer: Answer) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/keys", listener.local_addr().unwrap());
        let (answer, fetches) = (Arc::new(Mutex::new(answer)), Arc::new(AtomicUsize::new(0)));
        let serving =
            tokio::spawn(serve(listener, config.into(), Arc::clone(&answer), Arc::clone(&fetches)));
        Self { url, fetches, folder, journals: AtomicUsize::new(0), answer, serving }
    }

    pub fn now_answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    pub fn stop(&self) {
        self.serving.abort();
    }

    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn cache_dir(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    /// A record of its own for each gateway: a log belongs to one.
    pub fn journal(&self) -> Arc<Journal> {
        let number = self.journals.fetch_add(1, Ordering::SeqCst);
        let dir = self.folder.path().join(format!("audit-{number}"));
        let key = CheckpointKey::load_or_create(&self.folder.path().join("audit.pk8")).unwrap();
        let options = Options::new(&dir, Origin::new("test.example/audit").unwrap());
        let (log, _) = Log::open(options, key, Arc::new(now_us)).unwrap();
        Arc::new(Journal::new(log, Names::clear(), dir, 0))
    }

    /// Where the first of them lies.
    pub fn audit_dir(&self) -> PathBuf {
        self.folder.path().join("audit-0")
    }

    /// A policy set that trusts this issuer.
    pub fn policy(&self) -> PolicySet {
        policy(&self.url, Profile::Dev)
    }
}

impl Drop for IssuerServer {
    fn drop(&mut self) {
        self.stop();
    }
}

pub fn policy(url: &str, profile: Profile) -> PolicySet {
    let issuers = format!(
        "[issuers.login]\n\
         issuer = \"https://login.example.org\"\n\
         audience = [\"sealgate\"]\n\
         algorithms = [\"ES256\"]\n\
         jwks_url = \"{url}\"\n\
         tenants = [\"general-hospital\"]\n\
         lifetime_max_s = 43200\n"
    );
    PolicySet::from_folder(&Folder::shipped().with("issuers.toml", &issuers), profile)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

async fn serve(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    answer: Arc<Mutex<Answer>>,
    fetches: Arc<AtomicUsize>,
) {
    let acceptor = TlsAcceptor::from(config);
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, answer, fetches) = (acceptor.clone(), answer.clone(), fetches.clone());
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            fetches.fetch_add(1, Ordering::SeqCst);
            let answer = answer.lock().unwrap().clone();
            let (wait, text) = match answer {
                Answer::Send(text) => (Duration::ZERO, text),
                Answer::Late(wait, text) => (wait, text),
                Answer::Hold => std::future::pending().await,
            };
            tokio::time::sleep(wait).await;
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        });
    }
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
