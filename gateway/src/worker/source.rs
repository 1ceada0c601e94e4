//! Where workers come from: processes of this machine, some of them started before they are needed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::shelf::Shelf;
use super::{Program, Started, WorkerError};

/// Starts workers.
#[derive(Clone)]
pub struct Source {
    program: Program,
    /// Workers that have started, shut themselves in and made their keys, and wait for a session.
    ///
    /// None has a model or has spoken with anybody; each goes to one supervisor and is replaced.
    spares: Arc<Mutex<Shelf<Started>>>,
}

impl Source {
    /// Starts `program`, and keeps so many spare ones.
    ///
    /// A worker signs its evidence when it starts, and the evidence is judged when the worker is used.
    /// So none waits for longer than half of `evidence_age_max`, where evidence is asked for.
    #[must_use]
    pub fn new(program: Program, spares: usize, evidence_age_max: Option<Duration>) -> Self {
        let age_max = evidence_age_max.map_or(Duration::MAX, |age| age / 2);
        Self { program, spares: Arc::new(Mutex::new(Shelf::new(spares, age_max))) }
    }

    /// A worker: a spare one if there is one that lives. Of a model that is split, with processes for
    /// its other `parts`, and none of them a spare one.
    ///
    /// # Errors
    /// [`WorkerError::Start`] when the binary cannot be run.
    pub fn start(&self, parts: usize) -> Result<Started, WorkerError> {
        if parts > 0 {
            return self.program.start(parts);
        }
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spare) = spares.take(Instant::now(), |spare| spare.process.lives()) {
            return Ok(spare);
        }
        drop(spares);
        self.program.start(0)
    }

    /// Starts as many spare workers as are missing, and others in place of those that have waited for
    /// too long.
    ///
    /// # Errors
    /// [`WorkerError::Start`] when the binary cannot be run.
    pub fn fill(&self) -> Result<(), WorkerError> {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        spares.fill(Instant::now(), |spare| spare.process.lives(), || self.program.start(0))
    }

    /// Ends the spare workers.
    pub fn clear(&self) {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
