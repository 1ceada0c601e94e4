//! Spans on their way to a collector: in batches, one at a time, and dropped where it does not keep up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Span, TraceConfig, Tracer, otlp};
use crate::authorities::{Authorities, AuthoritiesError};
use crate::metrics::Metrics;

/// Why nothing can be exported.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// `endpoint` is no address that spans may go to.
    #[error("`trace.endpoint` must be an address with `https`, or with `http` on loopback")]
    Endpoint,
    /// `ca_file` cannot be used.
    #[error("`trace.ca_file`: {0}")]
    Authorities(#[from] AuthoritiesError),
}

/// Sends what [`Tracer`] takes.
pub struct Exporter {
    endpoint: Uri,
    authorities: Authorities,
    sample_ratio: f64,
}

type Sending = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl Exporter {
    /// Checks the settings; connects to nobody yet.
    ///
    /// # Errors
    /// [`TraceError`].
    pub fn new(config: &TraceConfig) -> Result<Self, TraceError> {
        let endpoint = config.address().ok_or(TraceError::Endpoint)?;
        let authorities = Authorities::new(config.ca_file.as_deref())?;
        Ok(Self { endpoint, authorities, sample_ratio: config.sample_ratio })
    }

    /// Exports until `stopped`, and then what is still there. Gives what takes spans.
    pub fn start(
        self,
        metrics: Arc<Metrics>,
        stopped: watch::Receiver<bool>,
    ) -> (Tracer, impl Future<Output = ()> + Send + 'static) {
        let (queue, spans) = mpsc::channel(QUEUE_SPANS_MAX);
        let tracer = Tracer::new(queue, self.sample_ratio, metrics.clone());
        let mut end = stopped.clone();
        let work = async move {
            tokio::select! {
                () = self.run(spans, metrics, stopped) => {}
                () = async { drop(end.wait_for(|&stop| stop).await); sleep(FLUSH_MAX).await } => {}
            }
        };
        (tracer, work)
    }

    async fn run(
        self,
        mut spans: mpsc::Receiver<Span>,
        metrics: Arc<Metrics>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let tls = match self.authorities.tls().await {
            Ok(tls) => tls,
            Err(error) => return tracing::error!(%error, "no traces are exported"),
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE_MAX)
            .build(connector);
        let mut told = Told::default();
        loop {
            let first = tokio::select! {
                biased;
                span = spans.recv() => span,
                _ = stopped.wait_for(|&stop| stop) => spans.try_recv().ok(),
            };
            let Some(first) = first else { return };
            let batch = gather(first, &mut spans, &mut stopped).await;
            let sent = self.send(&client, &batch).await;
            let counter = if sent.is_ok() { &metrics.spans.sent } else { &metrics.spans.failed };
            add(counter, batch.len());
            told.of(sent);
        }
    }

    /// Each batch is sent once: a collector that is not there loses what it missed.
    async fn send(&self, client: &Sending, batch: &[Span]) -> Result<(), &'static str> {
        let request = Request::post(self.endpoint.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(otlp::batch(batch))))
            .map_err(|_| "address")?;
        let exchange = async {
            let response = client.request(request).await.map_err(|_| "unreachable")?;
            let taken = response.status().is_success();
            // Read to its end, so that the connection can be used again.
            let _ = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            if taken { Ok(()) } else { Err("refused") }
        };
        timeout(EXCHANGE_MAX, exchange).await.unwrap_or(Err("timed_out"))
    }
}

/// The first, and what comes soon after it.
async fn gather(
    first: Span,
    spans: &mut mpsc::Receiver<Span>,
    stopped: &mut watch::Receiver<bool>,
) -> Vec<Span> {
    let mut batch = vec![first];
    let until = Instant::now() + BATCH_WAIT;
    while batch.len() < BATCH_SPANS_MAX {
        let more = tokio::select! {
            biased;
            more = timeout_at(until, spans.recv()) => more.ok().flatten(),
            _ = stopped.wait_for(|&stop| stop) => spans.try_recv().ok(),
        };
        match more {
            Some(span) => batch.push(span),
            None => break,
        }
    }
    batch
}

/// Whether the operator knows that the collector does not take spans.
#[derive(Default)]
struct Told(bool);

impl Told {
    fn of(&mut self, sent: Result<(), &'static str>) {
        let was_failing = std::mem::replace(&mut self.0, sent.is_err());
        match sent {
            Err(why) if !was_failing => tracing::warn!(why, "the collector takes no traces"),
            Ok(()) if was_failing => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

fn add(counter: &AtomicU64, spans: usize) {
    counter.fetch_add(spans as u64, Ordering::Relaxed);
}

/// What waits for the collector; about half a kilobyte each.
const QUEUE_SPANS_MAX: usize = 4096;
const BATCH_SPANS_MAX: usize = 256;
/// How long a batch waits for more.
const BATCH_WAIT: Duration = Duration::from_millis(500);
const EXCHANGE_MAX: Duration = Duration::from_secs(5);
/// For how long a stop waits for what is still to be sent.
const FLUSH_MAX: Duration = Duration::from_secs(2);
const IDLE_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 << 10;
