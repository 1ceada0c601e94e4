//! One counter: what is used, and up to where that is durable.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::writer::{Order, Writer};
use super::{NoRows, Slot};

/// The rows of one slot.
pub struct Counter {
    slot: Slot,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    /// Rows taken, and not given back.
    used: u64,
    /// Of these, what requests in flight hold and may give back.
    held: u64,
    /// The mark on the disk: what is taken below it passes. None until the store was asked.
    mark: Option<u64>,
    /// Whether the store has been asked for a mark and has not answered.
    asked: bool,
    /// How often the store did not answer well.
    failures: u32,
}

/// What came of trying to take rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// They are taken.
    Taken,
    /// They are not, and will not be.
    Not(NoRows),
    /// The store has been asked for a higher mark.
    Wait,
}

impl Counter {
    pub fn new(slot: Slot) -> Self {
        Self { slot, state: Mutex::default(), news: Notify::new() }
    }

    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Takes rows if they fit below limit and mark; asks for a higher mark if need be.
    pub fn take(self: &Arc<Self>, rows: u32, limit: u32, writer: &Writer) -> Step {
        let mut state = self.lock();
        let after = state.used.saturating_add(rows.into());
        let limit_rows = u64::from(limit);
        match state.mark {
            Some(_) if after > limit_rows => {
                let soon = after.saturating_sub(state.held) <= limit_rows;
                Step::Not(NoRows::Over { soon })
            }
            Some(mark) if after <= mark => {
                state.used = after;
                state.held += u64::from(rows);
                Step::Taken
            }
            _ if state.asked => Step::Wait,
            mark => {
                let lease = state.used.saturating_add(lease_rows(rows, limit));
                let order = match mark {
                    None => Order::Load(Arc::clone(self)),
                    Some(_) => Order::Raise(Arc::clone(self), lease.min(limit_rows)),
                };
                // Under the lock: the store sees a counter's marks in the order they were made.
                state.asked = writer.order(order);
                if state.asked { Step::Wait } else { Step::Not(NoRows::Unavailable) }
            }
        }
    }

    /// Ends what a request held: it took `rows` and used `used`. What is more than a lease then
    /// goes back to the disk too, so that a crash does not cost it.
    pub fn settle(&self, rows: u32, used: u32, limit: u32, writer: &Writer) {
        let mut state = self.lock();
        state.held = state.held.saturating_sub(rows.into());
        state.used = state.used.saturating_sub(rows.saturating_sub(used).into());
        let enough = state.used.saturating_add(lease_rows(rows, limit));
        if !state.asked && state.mark.is_some_and(|mark| mark > enough) {
            state.mark = Some(enough);
            writer.order(Order::Lower(self.slot, enough));
        }
    }

    /// Writes down what is really used.
    pub fn give_lease_back(&self, writer: &Writer) {
        let mut state = self.lock();
        if !state.asked && state.mark.is_some_and(|mark| mark > state.used) {
            state.mark = Some(state.used);
            writer.order(Order::Lower(self.slot, state.used));
        }
    }

    /// The store's answer to a question where this counter stands: what was not given back
    /// before a crash counts as used.
    pub fn loaded(&self, mark: Option<u64>) {
        self.answered(|state| {
            state.used = mark?;
            state.mark = mark;
            Some(())
        });
    }

    /// The store's answer to a question for a higher mark.
    pub fn raised(&self, mark: Option<u64>) {
        self.answered(|state| {
            state.mark = Some(mark?);
            Some(())
        });
    }

    fn answered(&self, change: impl FnOnce(&mut State) -> Option<()>) {
        let mut state = self.lock();
        state.asked = false;
        if change(&mut state).is_none() {
            state.failures = state.failures.wrapping_add(1);
        }
        drop(state);
        self.news.notify_waiters();
    }

    /// Wakes up with the store's next answer, also if that comes before it is awaited.
    pub fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    pub fn failures(&self) -> u32 {
        self.lock().failures
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step {
    pub const fn done(self) -> Result<(), NoRows> {
        match self {
            Self::Taken => Ok(()),
            Self::Not(why) => Err(why),
            Self::Wait => Err(NoRows::Unavailable),
        }
    }
}

/// Big enough that the disk is seldom asked, small enough that a crash costs little.
fn lease_rows(rows: u32, limit: u32) -> u64 {
    rows.max(limit / LEASES_PER_LIMIT).into()
}

const LEASES_PER_LIMIT: u32 = 64;
