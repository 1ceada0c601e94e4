//! One load generator for all rows of the table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::setup::Path;

/// What to send, over how many connections, for how long.
pub struct Load<'a> {
    pub connections: usize,
    pub body: &'a [u8],
    pub token: &'a str,
    pub period: Duration,
}

/// What came of one round.
#[derive(Clone)]
pub struct Round {
    pub rate: f64,
    pub cpu_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub errors: usize,
}

impl Load<'_> {
    /// Sends one request after another on each connection until the period is over.
    pub fn run(&self, path: &Path) -> Round {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let cpu = path.processes.cpu_s();
        let begun = Instant::now();
        let mut times = Vec::new();
        let mut errors = 0;
        runtime.block_on(async {
            let tasks: Vec<_> = (0..self.connections)
                .map(|_| {
                    let (path, period) = (path.clone_address(), self.period);
                    let (body, bearer) =
                        (Bytes::copy_from_slice(self.body), format!("Bearer {}", self.token));
                    tokio::spawn(async move {
                        one_connection(path, &bearer, body, begun + period).await
                    })
                })
                .collect();
            for task in tasks {
                let (seen, failed) = task.await.unwrap();
                times.extend(seen);
                errors += failed;
            }
        });
        let elapsed = begun.elapsed().as_secs_f64();
        let cpu = path.processes.cpu_s() - cpu;
        times.sort_unstable();
        let count = times.len().max(1);
        let at = |share: f64| {
            times.get((count as f64 * share) as usize).map_or(0.0, |t| t.as_secs_f64() * 1e6)
        };
        Round {
            rate: times.len() as f64 / elapsed,
            cpu_us: cpu * 1e6 / count as f64,
            p50_us: at(0.50),
            p99_us: at(0.99),
            errors,
        }
    }
}

async fn one_connection(
    (address, tls): (String, Arc<rustls::ClientConfig>),
    bearer: &str,
    body: Bytes,
    end: Instant,
) -> (Vec<Duration>, usize) {
    let mut sender = connect(&address, tls).await;
    let (mut times, mut errors) = (Vec::with_capacity(1 << 16), 0);
    while Instant::now() < end {
        let request = http::Request::post("/v2/models/breast-cancer/infer")
            .header("host", &address)
            .header("authorization", bearer)
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))
            .unwrap();
        let begun = Instant::now();
        let response = sender.send_request(request).await.unwrap();
        let well = response.status().is_success();
        response.into_body().collect().await.unwrap();
        times.push(begun.elapsed());
        errors += usize::from(!well);
    }
    (times, errors)
}

async fn connect(address: &str, tls: Arc<rustls::ClientConfig>) -> SendRequest<Full<Bytes>> {
    let socket = TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(tls).connect(name, socket).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}
