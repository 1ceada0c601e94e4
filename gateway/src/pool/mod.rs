//! The workers of one version of a model: as many as its load needs, none where nobody asks.
//!
//! [`autoscale`] says how many, from what [`gauge`] saw; [`gate`] lets in as many requests as the
//! workers have places; [`circuit`] refuses at once while workers keep dying. A version whose policy
//! gives each tenant workers of its own has a pool for each.

pub mod autoscale;
mod circuit;
mod gate;
mod gauge;
mod history;
mod launch;
mod member;
mod quarantine;
mod scaler;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::{Notify, Semaphore, watch};

use crate::models::Artifact;
use crate::worker::{Connection, Supervisor};
use circuit::Circuit;
use gate::{Gate, NoPlace};
use gauge::Gauge;
use history::History;
pub use history::Moment;
pub use launch::Launcher;
use member::{Held, Member};
pub use quarantine::Quarantine;
pub use scaler::PoolScaling;

/// The workers, and who asks them.
pub struct Pool {
    artifact: Arc<Artifact>,
    /// Whose workers these are alone, if the policy says so.
    tenant: Option<Arc<str>>,
    launcher: Launcher,
    scaling: PoolScaling,
    /// Those that are offered, and those that still answer what they have.
    members: ArcSwap<Vec<Arc<Member>>>,
    shared: Arc<Shared>,
    /// Rung when somebody waits and no worker is there.
    wanted: Notify,
    turn: AtomicUsize,
    waiting_for_keys: Semaphore,
    history: Mutex<History>,
    stop: watch::Sender<bool>,
}

/// What a pool's workers and its requests both use.
struct Shared {
    gate: Arc<Gate>,
    gauge: Gauge,
    circuit: Mutex<Circuit>,
    /// Rung whenever a worker or its keys are there that were not.
    news: Notify,
    /// What became of the first worker.
    first: watch::Sender<First>,
    places_per_worker: usize,
}

/// What became of the first worker of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
enum First {
    /// Nothing yet.
    Starting,
    /// It answered.
    Answered,
    /// It could not be started; it is tried again and again.
    Failed(String),
}

/// A request's place with a worker.
pub struct Place {
    worker: Held,
    _place: Option<gate::Place>,
    _present: Present,
}

/// A request that is there; it counts as load until it is dropped.
struct Present(Arc<Shared>);

/// Why a request gets no worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// None has answered yet, or none came in time.
    NoWorker,
    /// The one worker that could have had it is gone.
    Gone,
    /// As many wait as may, or longer than there is time.
    Full {
        /// When to come again, in seconds.
        retry_after_s: u32,
    },
    /// The workers keep dying.
    Failing {
        /// When to come again, in seconds.
        retry_after_s: u32,
    },
}

impl Pool {
    /// A place with the less loaded of two workers that `draw` chooses, after waiting for one until
    /// `deadline`. Where there is no worker, one is started.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn enter(
        self: &Arc<Self>,
        draw: u64,
        deadline: Instant,
    ) -> Result<Place, Unavailable> {
        let present = self.present();
        if let Some(place) = self.shared.gate.try_enter()
            && let Some(worker) = self.pick(draw)
        {
            return Ok(Place { worker, _place: Some(place), _present: present });
        }
        loop {
            self.is_worth_waiting()?;
            // Asked for before looking, so that what comes in between is not missed.
            let news = self.shared.news.notified();
            self.wake();
            let place = self.shared.gate.enter(deadline).await?;
            if let Some(worker) = self.pick(draw) {
                return Ok(Place { worker, _place: Some(place), _present: present });
            }
            // Its worker is gone and the place is not taken back yet.
            drop(place);
            let left = deadline.saturating_duration_since(Instant::now()).min(LOOK_AGAIN);
            if left.is_zero() {
                return Err(Unavailable::NoWorker);
            }
            let _ = tokio::time::timeout(left, news).await;
        }
    }

    /// A place with this one worker and no other, after waiting for one until `deadline` in the same
    /// queue: for what is sealed to it. A worker that is being let go takes what clients had its keys
    /// for, as much at once as it had places.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn enter_with(
        &self,
        connection: &Arc<Connection>,
        deadline: Instant,
    ) -> Result<Place, Unavailable> {
        let present = self.present();
        let member = self.members.load().iter().find(|member| member.runs(connection)).cloned();
        let member = member.ok_or(Unavailable::Gone)?;
        let queues = !member.is_draining();
        let place = if queues { Some(self.queue(connection, deadline).await?) } else { None };
        let worker = member.hold_this(connection).ok_or(Unavailable::Gone)?;
        if place.is_none() && connection.in_flight() >= self.scaling.in_flight_per_worker {
            return Err(Unavailable::Full { retry_after_s: self.retry_after_s() });
        }
        Ok(Place { worker, _place: place, _present: present })
    }

    /// Whether this is one of its workers.
    #[must_use]
    pub fn has(&self, connection: &Arc<Connection>) -> bool {
        self.members.load().iter().any(|member| member.runs(connection))
    }

    /// A place, for as long as this worker lives.
    async fn queue(
        &self,
        connection: &Connection,
        deadline: Instant,
    ) -> Result<gate::Place, Unavailable> {
        if let Some(place) = self.shared.gate.try_enter() {
            return Ok(place);
        }
        self.is_worth_waiting()?;
        tokio::select! {
            place = self.shared.gate.enter(deadline) => Ok(place?),
            () = connection.ended() => Err(Unavailable::Gone),
        }
    }

    /// In how many seconds the queue of now can be expected to be done: from 1 to 60.
    #[must_use]
    pub fn retry_after_s(&self) -> u32 {
        self.shared.gate.retry_after_s(self.shared.gate.waiting())
    }

    /// Counts as load from now on.
    fn present(&self) -> Present {
        self.shared.gauge.enter(Instant::now());
        Present(self.shared.clone())
    }

    /// Of the workers that have what `find` looks for, the one with the fewest requests waiting,
    /// after waiting for a worker that is being started or for keys that are being made.
    pub async fn soon<T>(
        self: &Arc<Self>,
        patience: Duration,
        find: impl Fn(&Arc<Connection>) -> Option<T>,
    ) -> Option<(Arc<Connection>, T)> {
        if let Some(found) = self.least_loaded_with(&find) {
            return Some(found);
        }
        self.is_worth_waiting().ok()?;
        let present = self.present();
        let wait = async {
            loop {
                // Asked for before looking, so that what comes in between is not missed.
                let news = self.shared.news.notified();
                if let Some(found) = self.least_loaded_with(&find) {
                    return Some(found);
                }
                let _place = self.waiting_for_keys.try_acquire().ok()?;
                self.wake();
                news.await;
            }
        };
        let found = tokio::time::timeout(patience, wait).await.ok().flatten();
        drop(present);
        found
    }

    /// Returns once its first worker answers.
    ///
    /// # Errors
    /// Why its first worker could not be started; it is tried again and again until [`Self::stop`].
    pub async fn started(&self) -> Result<(), String> {
        let mut first = self.shared.first.subscribe();
        let first = first.wait_for(|first| *first != First::Starting).await;
        match first.as_deref() {
            Ok(First::Answered) => Ok(()),
            Ok(First::Failed(why)) => Err(why.clone()),
            Ok(First::Starting) | Err(_) => Err("it was stopped".to_owned()),
        }
    }

    /// Ends its workers.
    pub fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Whether a request can expect an answer: a worker is there, or none is needed and one could
    /// be started.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let members = self.members.load();
        let rests = members.iter().all(|member| member.is_draining()) && self.has_answered();
        rests || members.iter().any(|member| member.connection().is_some())
    }

    /// Whether its workers keep dying, so that nobody waits for one.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.circuit(|circuit| circuit.open_for(Instant::now())).is_some()
    }

    /// Whether a client may hold keys of one of its workers.
    #[must_use]
    pub fn was_given_to_clients(&self) -> bool {
        self.members.load().iter().any(|member| member.was_given_to_clients())
    }

    /// Those who keep the workers running, the ones on their way out among them.
    #[must_use]
    pub fn supervisors(&self) -> Vec<Arc<Supervisor>> {
        self.members.load().iter().map(|member| member.supervisor.clone()).collect()
    }

    /// Whose workers these are alone.
    #[must_use]
    pub const fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// What its workers run.
    #[must_use]
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// Its workers, its load and what was decided of late.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let members = self.members.load();
        let open = self.circuit(|circuit| circuit.open_for(Instant::now()));
        let (ready, draining) =
            (self.ready(), members.iter().filter(|member| member.is_draining()).count());
        Standing {
            model: self.artifact.name.clone(),
            version: self.artifact.version.clone(),
            tenant: self.tenant.as_deref().map(str::to_owned),
            min: self.scaling.min,
            max: self.scaling.max.min(self.launcher.supply.workers_max().unwrap_or(usize::MAX)),
            in_flight: self.shared.gauge.count(),
            waiting: self.shared.gate.waiting(),
            ready,
            starting: members.len().saturating_sub(ready + draining),
            draining,
            failing_for_s: open.map(|open| open.as_secs() + 1),
            history: self.history.lock().unwrap_or_else(PoisonError::into_inner).moments(),
        }
    }

    fn ready(&self) -> usize {
        self.members.load().iter().filter(|member| member.offered().is_some()).count()
    }

    fn is_worth_waiting(&self) -> Result<(), Unavailable> {
        let open = self.circuit(|circuit| circuit.open_for(Instant::now()));
        // One that answers is worth waiting for, also while others cannot be had: of several hosts one
        // may be down.
        if let Some(open) = open.filter(|_| self.ready() == 0) {
            let retry_after_s = u32::try_from(open.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            return Err(Unavailable::Failing { retry_after_s });
        }
        if self.has_answered() || self.tenant.is_some() {
            Ok(())
        } else {
            Err(Unavailable::NoWorker)
        }
    }

    fn has_answered(&self) -> bool {
        *self.shared.first.borrow() == First::Answered
    }

    fn wake(&self) {
        if self.members.load().iter().all(|member| member.is_draining()) {
            self.wanted.notify_one();
        }
    }

    /// Of two workers that `draw` chooses the one with fewer requests waiting: nearly as good as the
    /// least loaded of all, and not the same one for all who look at once (Mitzenmacher, "The Power
    /// of Two Choices in Randomized Load Balancing").
    fn pick(&self, draw: u64) -> Option<Held> {
        let members = self.members.load();
        let there: Vec<_> = match &members[..] {
            [only] => return only.hold(),
            all => all.iter().filter_map(|member| Some((member, member.offered()?))).collect(),
        };
        let count = there.len() as u64;
        let first = draw.checked_rem(count)?;
        // Another one than the first: so many steps on from it.
        let steps = (draw / count).checked_rem(count.saturating_sub(1)).map_or(0, |more| more + 1);
        let at = |index: u64| there.get(usize::try_from(index % count).ok()?);
        let ((one, own), (other, theirs)) = (at(first)?, at(first + steps)?);
        let less = if theirs.in_flight() < own.in_flight() { other } else { one };
        less.hold()
    }

    fn least_loaded_with<T>(
        &self,
        find: impl Fn(&Arc<Connection>) -> Option<T>,
    ) -> Option<(Arc<Connection>, T)> {
        let members = self.members.load();
        // Those with equally few take turns.
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % members.len().max(1);
        let (before, after) = members.split_at_checked(first)?;
        let offered = after.iter().chain(before).filter_map(|member| member.offered());
        let found = offered.filter_map(|connection| {
            let found = find(&connection)?;
            Some((connection, found))
        });
        found.min_by_key(|(connection, _)| connection.in_flight())
    }

    fn circuit<T>(&self, look: impl FnOnce(&mut Circuit) -> T) -> T {
        look(&mut self.shared.circuit.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A pool, as people and programs are told of it.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Whose workers these are alone, if not everybody's.
    pub tenant: Option<String>,
    /// Workers at least.
    pub min: usize,
    /// Workers at most.
    pub max: usize,
    /// Requests that are there.
    pub in_flight: usize,
    /// Those of them that wait for a place.
    pub waiting: usize,
    /// Workers that take requests.
    pub ready: usize,
    /// Workers on their way.
    pub starting: usize,
    /// Workers that still answer what they have.
    pub draining: usize,
    /// While nobody should ask: for how many seconds more.
    pub failing_for_s: Option<u64>,
    /// The last decisions, the oldest first.
    pub history: Vec<Moment>,
}

impl Standing {
    /// The last decision.
    #[must_use]
    pub fn last(&self) -> Option<&Moment> {
        self.history.last()
    }
}

impl Place {
    /// The worker.
    #[must_use]
    pub fn connection(&self) -> &Arc<Connection> {
        &self.worker.connection
    }
}

impl From<NoPlace> for Unavailable {
    fn from(why: NoPlace) -> Self {
        match why {
            NoPlace::Full { retry_after_s } => Self::Full { retry_after_s },
            NoPlace::TooLate => Self::NoWorker,
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.gauge.leave(Instant::now());
    }
}

/// A request that has a place and finds no worker behind it looks again after this at the latest.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How many may wait for keys: each of them holds one of the gateway's places.
const WAITING_FOR_KEYS_MAX: usize = 16;
