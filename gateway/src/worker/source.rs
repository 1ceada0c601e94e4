//! Where workers come from: processes of this machine, some of them started before they are needed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Program, Started, WorkerError};

/// Starts workers.
#[derive(Clone)]
pub struct Source {
    program: Program,
    spares: Arc<Spares>,
}

/// Workers that have started, shut themselves in and made their keys, and wait for a session.
///
/// None has a model or has spoken with anybody; each goes to one supervisor and is replaced.
struct Spares {
    waiting: Mutex<VecDeque<Started>>,
    count: usize,
}

impl Source {
    /// Starts `program`, and keeps so many spare ones.
    #[must_use]
    pub fn new(program: Program, spares: usize) -> Self {
        let spares = Arc::new(Spares { waiting: Mutex::default(), count: spares });
        Self { program, spares }
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
        let mut waiting = self.spares.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut spare) = waiting.pop_front() {
            if spare.process.lives() {
                return Ok(spare);
            }
        }
        drop(waiting);
        self.program.start(0)
    }

    /// Starts as many spare workers as are missing.
    ///
    /// # Errors
    /// [`WorkerError::Start`] when the binary cannot be run.
    pub fn fill(&self) -> Result<(), WorkerError> {
        let mut waiting = self.spares.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain_mut(|spare| spare.process.lives());
        while waiting.len() < self.spares.count {
            waiting.push_back(self.program.start(0)?);
        }
        Ok(())
    }

    /// Ends the spare workers.
    pub fn clear(&self) {
        self.spares.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
