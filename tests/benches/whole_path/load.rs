//! One load generator for all rows of the table.

use std::sync::{Arc, Mutex};
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
    pub content_type: &'static str,
    /// How much of a body is JSON, where tensors follow.
    pub json_bytes: Option<usize>,
    pub bodies: Arc<Bodies>,
    /// Announced, so that a sealed answer is padded to so many.
    pub rows: usize,
    /// The connections take them in turn.
    pub tokens: &'a [String],
    pub period: Duration,
}

/// The bodies of a round.
pub enum Bodies {
    /// One for all requests.
    Same(Bytes),
    /// Each is sent once; the round ends with the last.
    Each(Mutex<Vec<Bytes>>),
}

impl Bodies {
    pub fn same(body: &[u8]) -> Arc<Self> {
        Arc::new(Self::Same(Bytes::copy_from_slice(body)))
    }

    fn next(&self) -> Option<Bytes> {
        match self {
            Self::Same(body) => Some(body.clone()),
            Self::Each(bodies) => bodies.lock().unwrap().pop(),
        }
    }
}

/// What came of one round.
#[derive(Clone)]
pub struct Round {
    pub rate: f64,
    /// Answers a second that were no refusals.
    pub good_rate: f64,
    pub count: usize,
    pub cpu_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub errors: usize,
}

impl Load<'_> {
    /// Sends one request after another on each connection until the period is over. The period begins when all
    /// connections stand.
    pub fn run(&self, path: &Path) -> Round {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut times = Vec::new();
        let mut errors = 0;
        let senders = runtime.block_on(async {
            let mut senders = Vec::with_capacity(self.connections);
            for _ in 0..self.connections {
                let (address, tls) = path.clone_address();
                senders.push((connect(&address, tls).await, address));
            }
            senders
        });
        let cpu = path.processes.cpu_s();
        let begun = Instant::now();
        runtime.block_on(async {
            let tasks: Vec<_> = senders
                .into_iter()
                .zip(self.tokens.iter().cycle())
                .map(|(sender, token)| {
                    let (bodies, bearer) = (self.bodies.clone(), format!("Bearer {token}"));
                    let what = (self.content_type, self.json_bytes, self.rows);
                    let end = begun + self.period;
                    tokio::spawn(async move {
                        one_connection(sender, &bearer, what, &bodies, end).await
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
            good_rate: (times.len() - errors) as f64 / elapsed,
            count: times.len(),
            cpu_us: cpu * 1e6 / count as f64,
            p50_us: at(0.50),
            p99_us: at(0.99),
            errors,
        }
    }
}

async fn one_connection(
    (mut sender, address): (SendRequest<Full<Bytes>>, String),
    bearer: &str,
    (content_type, json_bytes, rows): (&str, Option<usize>, usize),
    bodies: &Bodies,
    end: Instant,
) -> (Vec<Duration>, usize) {
    let (mut times, mut errors) = (Vec::with_capacity(1 << 16), 0);
    while Instant::now() < end {
        let Some(body) = bodies.next() else { break };
        let mut request = http::Request::post("/v2/models/breast-cancer/infer")
            .header("host", &address)
            .header("authorization", bearer)
            .header("content-type", content_type)
            .header("sealgate-rows", rows);
        if let Some(bytes) = json_bytes {
            request = request.header("inference-header-content-length", bytes);
        }
        let request = request.body(Full::new(body)).unwrap();
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
