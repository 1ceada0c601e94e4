//! Destroys clients' keys at their end, also when nobody asks anything any more.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clients::Clients;

/// Wakes the keeper's thread: new keys have come, or the worker ends.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    renewed: bool,
    over: bool,
}

impl Bell {
    /// New keys stand, whose end must be kept.
    pub(crate) fn renewed(&self) {
        self.ring(|state| state.renewed = true);
    }

    /// The worker ends.
    pub(crate) fn over(&self) {
        self.ring(|state| state.over = true);
    }

    fn ring(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }

    /// The life of the keeper's thread.
    pub(crate) fn keep(&self, clients: &Clients) {
        loop {
            let patience = clients
                .expire(Instant::now())
                .map_or(IDLE, |end| end.saturating_duration_since(Instant::now()).max(PAUSE));
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = |state: &mut State| !state.renewed && !state.over;
            let (mut state, _) = self
                .rung
                .wait_timeout_while(state, patience, waiting)
                .unwrap_or_else(PoisonError::into_inner);
            if state.over {
                return;
            }
            state.renewed = false;
        }
    }
}

/// How long to sleep when there is nothing to keep.
const IDLE: Duration = Duration::from_secs(3600);
/// Never less than this, so that a clock's rounding cannot make the thread spin.
const PAUSE: Duration = Duration::from_millis(1);
