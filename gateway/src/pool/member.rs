//! One worker of a pool: offered while it answers, let go when it is not needed any more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::sleep;

use super::{First, Shared};
use crate::worker::{Attendance, Connection, Supervisor};

/// A worker and who keeps it running.
pub(super) struct Member {
    pub(super) supervisor: Arc<Supervisor>,
    attendant: Arc<Attendant>,
    stop: watch::Sender<bool>,
    /// How many have it in hand.
    held: AtomicUsize,
    /// One of the workers that there may be over all pools.
    _slot: OwnedSemaphorePermit,
}

/// A worker that stays until this is dropped.
pub(super) struct Held {
    pub(super) connection: Arc<Connection>,
    member: Arc<Member>,
}

/// Keeps a pool's places in step with one worker's coming and going.
pub(super) struct Attendant {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether its places are among the pool's.
    counted: bool,
    /// Whether it gets nothing new.
    draining: bool,
}

impl Member {
    pub(super) const fn new(
        supervisor: Arc<Supervisor>,
        attendant: Arc<Attendant>,
        stop: watch::Sender<bool>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        Self { supervisor, attendant, stop, held: AtomicUsize::new(0), _slot: slot }
    }

    /// Its worker, if there is one, also on its way out.
    pub(super) fn connection(&self) -> Option<Arc<Connection>> {
        self.supervisor.connection()
    }

    /// Its worker, if it takes new requests.
    pub(super) fn offered(&self) -> Option<Arc<Connection>> {
        let connection = if self.is_draining() { None } else { self.connection() };
        // Its supervisor may not know yet, and what was not sent to it goes to another one.
        connection.filter(|connection| !connection.is_over())
    }

    /// Has it stay for a request, if it takes new ones.
    pub(super) fn hold(self: &Arc<Self>) -> Option<Held> {
        self.held.fetch_add(1, Ordering::SeqCst);
        // Counted before looking: a drain that begins now either is seen here or sees the count.
        match self.offered() {
            Some(connection) => Some(Held { connection, member: self.clone() }),
            None => {
                self.held.fetch_sub(1, Ordering::SeqCst);
                None
            }
        }
    }

    /// Whether this is its worker.
    pub(super) fn runs(&self, connection: &Arc<Connection>) -> bool {
        self.connection().is_some_and(|own| Arc::ptr_eq(&own, connection))
    }

    /// Has this worker of its stay for a request, also on its way out, if it is still there.
    pub(super) fn hold_this(self: &Arc<Self>, connection: &Arc<Connection>) -> Option<Held> {
        self.held.fetch_add(1, Ordering::SeqCst);
        let held = Held { connection: connection.clone(), member: self.clone() };
        (self.runs(connection) && !connection.is_over()).then_some(held)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.attendant.state().draining
    }

    pub(super) fn was_given_to_clients(&self) -> bool {
        let keys = self.connection().and_then(|connection| connection.keys());
        keys.is_some_and(|keys| keys.were_given())
    }

    /// Gives it nothing new from now on.
    pub(super) fn drain(&self) {
        let mut state = self.attendant.state();
        state.draining = true;
        self.attendant.count(&mut state, false);
    }

    /// Returns when nobody needs it any more: what it has is answered, and clients who may have
    /// keys of it have had `grace` to use them.
    pub(super) async fn drained(&self, grace: Duration) {
        let begun = Instant::now();
        let keys_too = self.was_given_to_clients();
        while let Some(connection) = self.connection() {
            let patient = begun.elapsed() < grace;
            let is_asked = self.held.load(Ordering::SeqCst) > 0 || connection.in_flight() > 0;
            let is_needed = is_asked && begun.elapsed() < grace + PATIENCE;
            let may_be_asked = keys_too && patient;
            if !(is_needed || may_be_asked) {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Ends it.
    pub(super) fn stop(&self) {
        let _ = self.stop.send(true);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.member.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Attendant {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { shared, state: Mutex::default() })
    }

    fn count(&self, state: &mut State, counted: bool) {
        let places = self.shared.places_per_worker;
        match (state.counted, counted) {
            (false, true) => self.shared.gate.widen(places),
            (true, false) => self.shared.gate.narrow(places),
            _ => {}
        }
        state.counted = counted;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attendance for Attendant {
    fn came(&self) {
        self.shared.first.send_replace(First::Answered);
        let mut state = self.state();
        let offered = !state.draining;
        self.count(&mut state, offered);
        drop(state);
        self.shared.news.notify_waiters();
    }

    fn renewed(&self) {
        self.shared.news.notify_waiters();
    }

    fn went(&self, had_answered: bool) {
        self.count(&mut self.state(), false);
        self.ended(had_answered);
    }

    fn failed(&self, why: &str) {
        self.shared.first.send_if_modified(|first| {
            let news = *first == First::Starting;
            if news {
                *first = First::Failed(why.to_owned());
            }
            news
        });
        self.ended(false);
    }
}

impl Attendant {
    fn ended(&self, had_answered: bool) {
        let mut circuit = self.shared.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        circuit.ended(Instant::now(), had_answered);
        drop(circuit);
        // Whoever waits learns whether it is worth it.
        self.shared.news.notify_waiters();
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
