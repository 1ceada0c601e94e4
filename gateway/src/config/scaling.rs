//! `scaling = { .. }` of a model or of the repository: workers by load.

use std::time::Duration;

use serde::Deserialize;

use super::Config;
use crate::pool::PoolScaling;

/// How many workers there are under which load, after Knative's KPA.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ScalingConfig {
    /// Workers at least. Default: 0, and 1 for a model that clients may seal to, for its keys die
    /// with its workers.
    pub min: Option<usize>,
    /// Workers at most. Default: 4.
    pub max: usize,
    /// Requests that one worker has at once; more wait. Default: 64.
    pub in_flight_per_worker: usize,
    /// Requests that may wait for a place. Default: 512, as many as are in flight at once.
    pub waiting_max: usize,
    /// How much of `in_flight_per_worker` each worker should have on average, in percent.
    /// Default: 70.
    pub target_percent: u32,
    /// Time between two decisions, in milliseconds. Default: 2,000.
    pub tick_ms: u32,
    /// Time over which the load is averaged, in milliseconds. Default: 60,000.
    pub stable_window_ms: u32,
    /// The same, to notice a burst. Default: 6,000.
    pub panic_window_ms: u32,
    /// How long nobody must have asked, after `stable_window_ms`, before the last worker goes, in
    /// milliseconds. Default: 30,000.
    pub idle_grace_ms: u32,
}

impl Default for ScalingConfig {
    fn default() -> Self {
        Self {
            min: None,
            max: 4,
            in_flight_per_worker: 64,
            waiting_max: 512,
            target_percent: 70,
            tick_ms: 2_000,
            stable_window_ms: 60_000,
            panic_window_ms: 6_000,
            idle_grace_ms: 30_000,
        }
    }
}

impl ScalingConfig {
    /// Whether everything is within its bounds, with at most `workers_max` workers.
    #[must_use]
    pub fn is_sound(&self, workers_max: usize) -> bool {
        (1..=workers_max).contains(&self.max)
            && self.min.is_none_or(|min| min <= self.max)
            && (1..=4096).contains(&self.in_flight_per_worker)
            && self.waiting_max <= 4096
            && (1..=100).contains(&self.target_percent)
            && (10..=60_000).contains(&self.tick_ms)
            && (self.tick_ms..=3_600_000).contains(&self.panic_window_ms)
            && (self.panic_window_ms..=3_600_000).contains(&self.stable_window_ms)
            && self.idle_grace_ms <= 3_600_000
    }
}

impl Config {
    /// How workers are scaled that are configured so; one stays where clients seal to them
    /// (`keeps_one`), unless `min` says otherwise.
    #[must_use]
    pub fn scaling(
        &self,
        replicas: Option<usize>,
        scaling: Option<&ScalingConfig>,
        keeps_one: bool,
    ) -> PoolScaling {
        let fixed = replicas.unwrap_or(1);
        let written = scaling.cloned().unwrap_or_default();
        let (min, max) = match scaling {
            None => (fixed, fixed),
            Some(scaling) => (scaling.min.unwrap_or(usize::from(keeps_one)), scaling.max),
        };
        let ms = |ms: u32| Duration::from_millis(ms.into());
        PoolScaling {
            min,
            max,
            in_flight_per_worker: written.in_flight_per_worker,
            waiting_max: written.waiting_max,
            target_percent: written.target_percent,
            tick: ms(written.tick_ms),
            stable_window: ms(written.stable_window_ms),
            panic_window: ms(written.panic_window_ms),
            idle_grace: ms(written.idle_grace_ms),
        }
    }

    /// How many workers there may be at once: as many as one host runs well, and as there are key
    /// ids for.
    #[must_use]
    pub fn workers_max(&self) -> usize {
        let by_ids = usize::try_from(self.client_keys.life().workers_max()).unwrap_or(usize::MAX);
        by_ids.min(WORKERS_MAX)
    }
}

/// More would need more cores than one host has for them.
pub(super) const WORKERS_MAX: usize = 32;
