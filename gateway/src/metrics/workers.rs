//! What is counted of workers' lives.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Histogram, count};

/// Starts, ends, and how long starting takes.
#[derive(Default)]
pub struct Workers {
    /// Those that answer.
    pub started: AtomicU64,
    /// Starts that came to nothing.
    pub failed: AtomicU64,
    /// Ends, crashes aside.
    pub ended: AtomicU64,
    /// Ends by a fault of their own.
    pub crashed: AtomicU64,
    /// From the spawn until it can be asked.
    pub start: Histogram,
    /// By the step's name, which is a word of this program.
    steps: Mutex<BTreeMap<&'static str, Arc<Histogram>>>,
}

impl Workers {
    /// One answers, after steps that took so many microseconds.
    pub fn started(&self, steps: impl Iterator<Item = (&'static str, u64)>) {
        count(&self.started);
        let mut known = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut whole = Duration::ZERO;
        for (step, us) in steps {
            let time = Duration::from_micros(us);
            known.entry(step).or_default().observe(time);
            whole += time;
        }
        self.start.observe(whole);
    }

    /// One is gone.
    pub fn ended(&self, is_crash: bool) {
        count(if is_crash { &self.crashed } else { &self.ended });
    }

    /// The steps of a start, by name.
    #[must_use]
    pub fn steps(&self) -> Vec<(&'static str, Arc<Histogram>)> {
        let known = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(name, histogram)| (*name, histogram.clone())).collect()
    }
}
