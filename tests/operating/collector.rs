//! A collector of traces on loopback: takes what comes, or does not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Threads that serve until the test's process ends.
pub struct Collector {
    port: u16,
    taken: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    /// One with certificate and key of this folder.
    pub fn start(tls: &Path) -> Self {
        let chain = vec![CertificateDer::from_pem_file(tls.join("cert.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(tls.join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        Self::serving(move |stream, taken| {
            let tls = ServerConnection::new(config.clone()).unwrap();
            take(StreamOwned::new(tls, stream), taken);
        })
    }

    /// One that takes connections and never says anything.
    pub fn silent() -> Self {
        Self::serving(|stream, _| {
            thread::sleep(Duration::from_secs(120));
            drop(stream);
        })
    }

    fn serving(serve: impl Fn(TcpStream, &Mutex<Vec<Vec<u8>>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (taken, serve) = (Arc::new(Mutex::new(Vec::new())), Arc::new(serve));
        let all = taken.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serve, all) = (serve.clone(), all.clone());
                thread::spawn(move || serve(stream, &all));
            }
        });
        Self { port, taken }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// All requests so far, heads and bodies.
    pub fn taken(&self) -> Vec<Vec<u8>> {
        self.taken.lock().unwrap().clone()
    }
}

/// Requests with `content-length`, each answered with 200.
fn take(mut stream: impl Read + Write, taken: &Mutex<Vec<Vec<u8>>>) {
    let (mut bytes, mut part) = (Vec::new(), [0; 16 << 10]);
    loop {
        if let Some(end) = whole(&bytes) {
            taken.lock().unwrap().push(bytes.drain(..end).collect());
            let answer =
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            if stream.write_all(answer).and_then(|()| stream.flush()).is_err() {
                return;
            }
            continue;
        }
        match stream.read(&mut part) {
            Ok(read @ 1..) => bytes.extend_from_slice(&part[..read]),
            _ => return,
        }
    }
}

fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    let end = head + length.trim().parse::<usize>().unwrap();
    (bytes.len() >= end).then_some(end)
}
