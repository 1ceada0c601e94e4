//! The hand-over from the threads that record to the one that writes.

use crate::error::AppendError;
use crate::record::Draft;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A record that waits to be written, and whom to tell.
pub(crate) struct Pending {
    pub(crate) draft: Draft,
    pub(crate) ticket: Ticket,
    /// Whether somebody waits for it.
    pub(crate) urgent: bool,
}

type Answer = Box<dyn FnOnce(Result<u64, AppendError>) + Send>;

/// Gets exactly one answer: if it is lost on the way, that is a failure too.
pub(crate) struct Ticket(Option<Answer>);

impl Ticket {
    pub(crate) fn new(answer: impl FnOnce(Result<u64, AppendError>) + Send + 'static) -> Self {
        Self(Some(Box::new(answer)))
    }

    pub(crate) fn answer(mut self, result: Result<u64, AppendError>) {
        if let Some(answer) = self.0.take() {
            answer(result);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer(Err(AppendError::Failed));
        }
    }
}

/// A bounded queue that is emptied whole.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    records_max: usize,
}

struct Inner {
    waiting: Vec<Pending>,
    /// Whether somebody waits for one of them; otherwise they go along with the next batch.
    urgent: bool,
    /// Whether the writer sleeps without a time at which it wakes by itself.
    sleeps_on: bool,
    state: State,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Open,
    Closing,
    Failed,
}

impl Queue {
    pub(crate) fn new(records_max: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                waiting: Vec::new(),
                urgent: false,
                sleeps_on: false,
                state: State::Open,
            }),
            wake: Condvar::new(),
            records_max,
        }
    }

    /// Puts a record in line, or answers at once why not. One that is not urgent waits for the
    /// next that is, but no longer than [`PATIENCE`].
    pub(crate) fn push(&self, pending: Pending) {
        let urgent = pending.urgent;
        let refused = {
            let mut inner = self.lock();
            match inner.state {
                State::Closing => AppendError::Closed,
                State::Failed => AppendError::Failed,
                State::Open if inner.waiting.len() >= self.records_max => AppendError::Busy,
                State::Open => {
                    inner.waiting.push(pending);
                    let wake = (urgent && !inner.urgent) || inner.sleeps_on;
                    inner.urgent |= urgent;
                    drop(inner);
                    if wake {
                        self.wake.notify_one();
                    }
                    return;
                }
            }
        };
        pending.ticket.answer(Err(refused));
    }

    /// Waits for records, at most until `due`, and takes all there are into `batch`, which is
    /// empty. Says whether to go on: not when the queue is closed and empty.
    pub(crate) fn take(&self, batch: &mut Vec<Pending>, due: Option<Instant>) -> bool {
        let mut inner = self.lock();
        let mut due = due;
        while !inner.urgent && inner.state == State::Open {
            if due.is_none() && !inner.waiting.is_empty() {
                due = Some(Instant::now() + PATIENCE);
            }
            inner.sleeps_on = due.is_none();
            inner = match due.map(|due| due.saturating_duration_since(Instant::now())) {
                None => self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    let waited = self.wake.wait_timeout(inner, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        inner.sleeps_on = false;
        inner.urgent = false;
        std::mem::swap(&mut inner.waiting, batch);
        inner.state == State::Open || !batch.is_empty()
    }

    /// Takes no more records; what waits is still written.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        if inner.state == State::Open {
            inner.state = State::Closing;
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Takes no more records, and fails those that wait.
    pub(crate) fn fail(&self) {
        let waiting = {
            let mut inner = self.lock();
            inner.state = State::Failed;
            std::mem::take(&mut inner.waiting)
        };
        // Their answers are not given under the lock: they may come back to this queue.
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code of others runs under the lock, so what a panic left behind is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a record that nobody waits for may wait for company.
const PATIENCE: Duration = Duration::from_millis(500);
