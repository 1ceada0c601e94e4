//! How long the steps of a worker's start take.

use std::time::{Duration, Instant};

/// The steps that are done, in their order.
#[derive(Debug, Clone)]
pub struct Stages {
    done: Vec<(&'static str, Duration)>,
    since: Instant,
}

impl Stages {
    /// The first step begins.
    #[must_use]
    pub fn begin() -> Self {
        Self { done: Vec::new(), since: Instant::now() }
    }

    /// The step of this name is done, and the next one begins.
    pub fn done(&mut self, stage: &'static str) {
        let now = Instant::now();
        self.done.push((stage, now.saturating_duration_since(self.since)));
        self.since = now;
    }

    /// Each step's name and microseconds.
    pub fn micros(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.done.iter().map(move |&(stage, time)| (stage, micros(time)))
    }
}
