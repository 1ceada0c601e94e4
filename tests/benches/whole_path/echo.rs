//! The yardstick: the same TLS, the same HTTP, the same sizes, and nothing in between.

use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use ohttp::hpke;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;

/// `--echo CERT KEY ANSWER_BYTES`: prints its port, then serves until it is killed. With
/// `--ohttp-echo` it opens each request as Oblivious HTTP and seals the answer; its port stands
/// after its key list in hex.
pub fn serve() {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument.ends_with("-echo")).unwrap();
    let [cert, key, bytes] = [1, 2, 3].map(|i| arguments[at + i].clone());
    let answer = Bytes::from(vec![b'0'; bytes.parse().unwrap()]);
    let router = if arguments[at] == "--ohttp-echo" {
        oblivious(answer)
    } else {
        let echo = move |_: Bytes| {
            let answer = answer.clone();
            async move { answer }
        };
        Router::new().fallback(post(echo))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(listen(&cert, &key, router));
}

/// Prints a port and serves there.
pub async fn listen(cert: &str, key: &str, router: Router) {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls(cert, key)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    std::io::stdout().flush().unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(socket).await else { return };
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// What the `ohttp` crate does with a request, and nothing else: no token, no rule, no model, no
/// memory of what it has opened, no record, no receipt.
fn oblivious(answer: Bytes) -> Router {
    let server = ohttp_server();
    println!("{}", hex::encode(ohttp::KeyConfig::encode_list(&[server.config()]).unwrap()));
    let echo = move |request: Bytes| {
        let (_, sealer) = server.decapsulate(&request).unwrap();
        let sealed = sealer.encapsulate(&answer).unwrap();
        async move { sealed }
    };
    Router::new().fallback(post(echo))
}

/// A server of the `ohttp` crate with one key.
pub fn ohttp_server() -> ohttp::Server {
    let suite = ohttp::SymmetricSuite::new(hpke::Kdf::HkdfSha256, hpke::Aead::Aes128Gcm);
    let config = ohttp::KeyConfig::new(1, hpke::Kem::X25519Sha256, vec![suite]).unwrap();
    ohttp::Server::new(config).unwrap()
}

/// TLS 1.3 as the gateway speaks it: each handshake is a full one.
pub fn tls(cert: &str, key: &str) -> ServerConfig {
    let certs = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}
