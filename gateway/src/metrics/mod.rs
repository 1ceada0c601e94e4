//! What is counted of requests, workers and records, for operators.
//!
//! Every label is a word of this program or the name of a model that is served: nothing that a caller
//! writes becomes one, so that nobody can make them many, and none says who asked. What there is to
//! count of a model lies in arrays of fixed size, made when it is first asked; a request costs a few
//! additions. `admin/metrics.rs` writes it all down, and `docs/metrics.md` names it.

mod codes;
mod histogram;
mod of_model;
mod text;
mod workers;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

pub use codes::closed;
pub use histogram::Histogram;
pub use of_model::{Ended, OfModel, Stage};
pub use text::{Families, labels};
pub use workers::Workers;

/// All that is counted since the start.
pub struct Metrics {
    /// When that was.
    pub started: Instant,
    models: RwLock<BTreeMap<Box<str>, Arc<OfModel>>>,
    /// What was asked of models that are not served, or that are too many.
    others: Arc<OfModel>,
    /// Of workers.
    pub workers: Workers,
    /// Of the certificate's files.
    pub certificate: Reloads,
    /// Of spans that are to be exported.
    pub spans: Spans,
}

/// What came of reading something again.
#[derive(Default)]
pub struct Reloads {
    /// It took effect.
    pub loaded: AtomicU64,
    /// It had mistakes.
    pub refused: AtomicU64,
}

/// What became of spans.
#[derive(Default)]
pub struct Spans {
    /// The collector has them.
    pub sent: AtomicU64,
    /// There was no room for them.
    pub dropped: AtomicU64,
    /// The collector did not take them, or not in time.
    pub failed: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            models: RwLock::default(),
            others: Arc::default(),
            workers: Workers::default(),
            certificate: Reloads::default(),
            spans: Spans::default(),
        }
    }
}

impl Metrics {
    /// What is counted of `model`, which must be one that is served; `None` for any other.
    #[must_use]
    pub fn of(&self, model: Option<&str>) -> Arc<OfModel> {
        let Some(model) = model else { return self.others.clone() };
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(model) {
            return found.clone();
        }
        drop(known);
        let mut known = self.models.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MODELS_MAX && !known.contains_key(model) {
            return self.others.clone();
        }
        known.entry(model.into()).or_default().clone()
    }

    /// By name; those that have none of their own under [`OTHERS`].
    #[must_use]
    pub fn models(&self) -> Vec<(Box<str>, Arc<OfModel>)> {
        let known = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let named = known.iter().map(|(name, of)| (name.clone(), of.clone()));
        named.chain([(OTHERS.into(), self.others.clone())]).collect()
    }
}

/// One more.
pub fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The label of what is asked of no model of ours; no model can be called so.
pub const OTHERS: &str = "(other)";
/// Each costs some 20 KB here, and lines in every scrape.
const MODELS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_are_too_many_are_counted_together() {
        let metrics = Metrics::default();
        let first = metrics.of(Some("first"));
        (0..2 * MODELS_MAX).for_each(|number| drop(metrics.of(Some(&number.to_string()))));
        assert_eq!(metrics.models().len(), MODELS_MAX + 1);
        assert!(Arc::ptr_eq(&metrics.of(Some("first")), &first), "whoever was there stays");
        assert!(Arc::ptr_eq(&metrics.of(Some("one more")), &metrics.of(None)));
    }
}
