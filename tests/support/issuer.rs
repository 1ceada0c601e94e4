//! An issuer that publishes its keys by HTTPS, under the demo's own certificate.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// A key that tokens are signed with.
pub struct SigningKey {
    pub kid: String,
    /// The public half, as JWK sets hold it.
    pub x: String,
    pkcs8: Vec<u8>,
}

impl SigningKey {
    pub fn new(kid: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        Self { kid: kid.to_owned(), x, pkcs8: pkcs8.as_ref().to_vec() }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let header = Header {
            typ: Some("at+jwt".into()),
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&self.pkcs8)).unwrap()
    }
}

/// The server. It ends with the test's process.
pub struct IssuerServer {
    pub url: String,
    answer: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
}

impl IssuerServer {
    /// Answers 503 until it has something to publish.
    pub fn start(cert: &Path, key: &Path) -> Self {
        let chain = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/keys", listener.local_addr().unwrap());
        let server = Self { url, answer: Arc::default(), fetches: Arc::default() };
        server.fail();
        let (config, answer) = (Arc::new(config), server.answer.clone());
        let fetches = server.fetches.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = answer.lock().unwrap().clone();
                if serve(config.clone(), stream, &answer).is_ok() {
                    fetches.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        server
    }

    pub fn publish(&self, keys: &[&SigningKey]) {
        let jwk =
            |key: &&SigningKey| json!({"kty": "OKP", "crv": "Ed25519", "kid": key.kid, "x": key.x});
        let set = json!({"keys": keys.iter().map(jwk).collect::<Vec<_>>()}).to_string();
        self.answer("200 OK", &set);
    }

    pub fn fail(&self) {
        self.answer("503 Service Unavailable", "");
    }

    /// How many requests have been answered.
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn answer(&self, status: &str, body: &str) {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        *self.answer.lock().unwrap() = head + body;
    }
}

fn serve(config: Arc<ServerConfig>, stream: TcpStream, answer: &str) -> std::io::Result<()> {
    let tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(tls, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    stream.write_all(answer.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}
