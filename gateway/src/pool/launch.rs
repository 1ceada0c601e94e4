//! What every pool starts its workers with.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::circuit::Circuit;
use super::gate::Gate;
use super::gauge::Gauge;
use super::history::History;
use super::{First, Pool, PoolScaling, Shared, WAITING_FOR_KEYS_MAX};
use crate::models::Artifact;
use crate::worker::{Demands, Keyring, Supply, WorkerEvent};

/// What every worker is started with.
#[derive(Clone)]
pub struct Launcher {
    /// Where workers come from.
    pub supply: Supply,
    /// What it must be.
    pub demands: Demands,
    /// Where its keys for clients are kept.
    pub keyring: Arc<Keyring>,
    /// Who is told of its life.
    pub events: mpsc::Sender<WorkerEvent>,
    /// How many more workers there may be, over all pools.
    pub slots: Arc<Semaphore>,
    /// How many there may be at all.
    pub slots_max: usize,
    /// How long clients may keep keys of a worker that is let go.
    pub grace: Duration,
}

impl Launcher {
    /// A pool with its first workers on their way; it is scaled until it is stopped.
    #[must_use]
    pub fn launch(
        &self,
        artifact: Arc<Artifact>,
        tenant: Option<Arc<str>>,
        scaling: PoolScaling,
    ) -> Arc<Pool> {
        let shared = Arc::new(Shared {
            gate: Gate::new(scaling.waiting_max),
            gauge: Gauge::new(Instant::now()),
            circuit: Mutex::new(Circuit::default()),
            news: Notify::new(),
            first: watch::channel(First::Starting).0,
            places_per_worker: scaling.in_flight_per_worker,
        });
        let pool = Arc::new(Pool {
            artifact,
            tenant,
            launcher: self.clone(),
            scaling,
            members: ArcSwap::default(),
            shared,
            wanted: Notify::new(),
            turn: AtomicUsize::new(0),
            waiting_for_keys: Semaphore::new(WAITING_FOR_KEYS_MAX),
            history: Mutex::new(History::default()),
            stop: watch::channel(false).0,
        });
        tokio::spawn(pool.clone().keep());
        pool
    }

    /// Whether so many more workers may be started.
    #[must_use]
    pub fn has_room_for(&self, workers: usize) -> bool {
        self.room() >= workers
    }

    /// How many more workers there may be, and are to be had.
    pub(super) fn room(&self) -> usize {
        let free = self.slots.available_permits();
        let taken = self.slots_max.saturating_sub(free);
        self.supply.workers_max().map_or(free, |all| all.saturating_sub(taken).min(free))
    }

    pub(super) fn slot(&self) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_owned().ok()
    }
}
