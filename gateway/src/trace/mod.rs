//! Traces: a request's place in the caller's trace, and spans for a collector.
//!
//! A span says of a request what its outcome record says, and less: no caller, no query, no header,
//! no body, and no name of a model that is not served. It costs the request one message into a
//! bounded queue; whatever does not fit there is dropped and counted.

mod config;
mod context;
mod export;
mod otlp;
mod span;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use tokio::sync::mpsc;

pub use config::TraceConfig;
pub use context::Context;
pub use export::{Exporter, TraceError};
pub use span::Span;

use crate::metrics::{Metrics, count};

/// Hands spans over to whoever exports them.
pub struct Tracer {
    queue: Option<mpsc::Sender<Span>>,
    sample_ratio: f64,
    metrics: Arc<Metrics>,
}

impl Tracer {
    /// One that exports nothing: callers' traces are passed on all the same.
    #[must_use]
    pub const fn none(metrics: Arc<Metrics>) -> Self {
        Self { queue: None, sample_ratio: 0.0, metrics }
    }

    /// One whose spans go to `queue`, of so many requests in one.
    #[must_use]
    pub const fn new(queue: mpsc::Sender<Span>, sample_ratio: f64, metrics: Arc<Metrics>) -> Self {
        Self { queue: Some(queue), sample_ratio, metrics }
    }

    /// A request's place in a trace: in the caller's, if it names one, or in a new one. None where
    /// nobody asks for any.
    #[must_use]
    pub fn context(&self, headers: &HeaderMap) -> Option<Context> {
        let parent = Context::parent(headers);
        if parent.is_none() && self.queue.is_none() {
            return None;
        }
        Context::below(parent, self.sample_ratio)
    }

    /// Takes a span; never waits.
    pub fn take(&self, span: Span) {
        let Some(queue) = &self.queue else { return };
        if queue.try_send(span).is_err() {
            count(&self.metrics.spans.dropped);
        }
    }
}

/// W3C Trace Context, section 3.2.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn span() -> Span {
        Span {
            context: Context {
                trace_id: [1; 16],
                parent_id: None,
                span_id: [2; 8],
                is_sampled: true,
            },
            name: "infer",
            began: SystemTime::now(),
            time: Duration::ZERO,
            request_id: String::new(),
            model: None,
            version: None,
            mode: "",
            protocol: "",
            code: "ok",
            status: 200,
            rows: 0,
            stages_us: Vec::new(),
        }
    }

    #[test]
    fn what_does_not_fit_into_the_queue_is_dropped_and_counted_and_nobody_waits() {
        let metrics = Arc::new(Metrics::default());
        let (queue, spans) = mpsc::channel(2);
        let tracer = Tracer::new(queue, 1.0, metrics.clone());
        (0..5).for_each(|_| tracer.take(span()));
        assert_eq!(metrics.spans.dropped.load(Ordering::Relaxed), 3);
        drop(spans);
        tracer.take(span());
        assert_eq!(metrics.spans.dropped.load(Ordering::Relaxed), 4, "nor when nobody exports");
    }

    #[test]
    fn without_a_collector_and_without_a_callers_trace_there_is_none() {
        let tracer = Tracer::none(Arc::default());
        assert_eq!(tracer.context(&HeaderMap::new()), None);
    }
}
