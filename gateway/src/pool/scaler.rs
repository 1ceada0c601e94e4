//! Starts and lets go workers as the load asks for.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval_at};
use tracing::field::display;

use super::autoscale::{Autoscaler, Decision, Scaling};
use super::history::{Moment, ratio};
use super::member::{Attendant, Member};
use super::{First, Pool};
use crate::journal::now_us;
use crate::worker::{Settings, Supervisor, Supply};

/// How a pool is scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoolScaling {
    /// Workers at least.
    pub min: usize,
    /// Workers at most.
    pub max: usize,
    /// Requests that each worker may have at once.
    pub in_flight_per_worker: usize,
    /// Requests that may wait for a place.
    pub waiting_max: usize,
    /// How much of `in_flight_per_worker` a worker should have, in percent.
    pub target_percent: u32,
    /// Time between two decisions.
    pub tick: Duration,
    /// The long window of the load's average.
    pub stable_window: Duration,
    /// The short one.
    pub panic_window: Duration,
    /// How long nobody must have asked before the last worker goes.
    pub idle_grace: Duration,
}

impl PoolScaling {
    /// So many that no load changes it.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        self.min == self.max
    }

    /// How many are started at first: one at least, so that the artifact has been tried.
    #[must_use]
    pub fn at_first(&self) -> usize {
        self.min.max(1)
    }

    fn scaling(&self) -> Scaling {
        #[expect(clippy::cast_precision_loss, reason = "there are never so many")]
        let places = self.in_flight_per_worker as f64;
        Scaling {
            min: self.min,
            max: self.max,
            target: places * f64::from(self.target_percent) / 100.0,
            tick: self.tick,
            stable_window: self.stable_window,
            panic_window: self.panic_window,
            idle_grace: self.idle_grace,
        }
    }
}

impl Pool {
    /// Keeps as many workers as are needed until the pool is stopped.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        let mut scaler = Autoscaler::new(self.scaling.scaling());
        let tick = self.scaling.tick.max(TICK_MIN);
        let mut ticks = interval_at(tokio::time::Instant::now() + tick, tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let first = if self.tenant.is_some() { 0 } else { self.scaling.at_first() };
        self.resize(first);
        loop {
            tokio::select! {
                _ = stop.wait_for(|&stop| stop) => break,
                () = self.wanted.notified() => self.resize(self.wanted_at_once()),
                _ = ticks.tick() => self.decide(&mut scaler),
            }
        }
        for member in self.members.load().iter() {
            member.stop();
        }
    }

    fn decide(self: &Arc<Self>, scaler: &mut Autoscaler) {
        let now = Instant::now();
        let concurrency = self.shared.gauge.take_average(now);
        scaler.record(now, concurrency);
        let there = self.offered_members().len();
        let Decision { workers, panicking, needed } = scaler.decide(now, there);
        let ready = self.ready();
        let (at_ms, ratio) = (now_us() / 1000, ratio(ready, needed));
        let moment =
            Moment { at_ms, concurrency, ready, needed, ratio, wanted: workers, panicking };
        self.history.lock().unwrap_or_else(PoisonError::into_inner).add(moment);
        // Whether the artifact runs at all is not known before its first worker has answered.
        let undecided = self.tenant.is_none() && *self.shared.first.borrow() != First::Answered;
        if !undecided {
            self.resize(workers);
        } else if self.members.load().is_empty() {
            // There was no place for it, or no host.
            self.resize(self.scaling.at_first());
        }
    }

    /// Somebody waits and no worker is there.
    fn wanted_at_once(&self) -> usize {
        self.offered_members().len().max(1)
    }

    fn offered_members(&self) -> Vec<Arc<Member>> {
        let members = self.members.load();
        members.iter().filter(|member| !member.is_draining()).cloned().collect()
    }

    fn resize(self: &Arc<Self>, wanted: usize) {
        let offered = self.offered_members();
        // Of other hosts there are no more than are known.
        let wanted = match self.launcher.supply {
            Supply::Local(_) => wanted,
            Supply::Remote(_) => wanted.min(offered.len() + self.launcher.room()),
        };
        for _ in offered.len()..wanted {
            if !self.add() {
                tracing::warn!(
                    model = self.artifact.name,
                    wanted,
                    there = self.offered_members().len(),
                    "there are as many workers as there may be"
                );
                break;
            }
        }
        let surplus = offered.len().saturating_sub(wanted);
        let mut offered = offered;
        // First those that clients have no keys of, and of these the least busy.
        offered.sort_by_key(|member| {
            let in_flight = member.connection().map_or(0, |connection| connection.in_flight());
            (member.was_given_to_clients(), in_flight)
        });
        for member in offered.into_iter().take(surplus) {
            self.let_go(member);
        }
    }

    fn add(self: &Arc<Self>) -> bool {
        let Some(slot) = self.launcher.slot() else { return false };
        let (stop, stopped) = watch::channel(false);
        let attendant = Attendant::new(self.shared.clone());
        let settings = Settings {
            supply: self.launcher.supply.clone(),
            demands: self.launcher.demands.clone(),
            artifact: self.artifact.clone(),
            tenant: self.tenant.clone(),
            keyring: self.launcher.keyring.clone(),
        };
        let supervisor = Arc::new(Supervisor::new(settings, attendant.clone()));
        let member = Arc::new(Member::new(supervisor.clone(), attendant, stop, slot));
        let events = self.launcher.events.clone();
        self.members.rcu(|members| {
            let mut members = Vec::clone(members);
            members.push(member.clone());
            members
        });
        let pool = self.clone();
        tokio::spawn(async move {
            supervisor.run(events, stopped).await;
            pool.members.rcu(|members| {
                members.iter().filter(|one| !Arc::ptr_eq(one, &member)).cloned().collect::<Vec<_>>()
            });
        });
        true
    }

    fn let_go(self: &Arc<Self>, member: Arc<Member>) {
        member.drain();
        let identity = member.supervisor.identity();
        let pid = identity.and_then(|identity| identity.pid);
        let address = identity.and_then(|identity| identity.address).map(display);
        tracing::info!(model = self.artifact.name, pid, address, "let go");
        let (grace, mut stop) = (self.launcher.grace, self.stop.subscribe());
        tokio::spawn(async move {
            tokio::select! {
                () = member.drained(grace) => {}
                _ = stop.wait_for(|&stop| stop) => {}
            }
            member.stop();
        });
    }
}

/// An interval must not be zero.
const TICK_MIN: Duration = Duration::from_millis(1);
