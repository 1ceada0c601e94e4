//! `[jwks]` and what follows from it.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// `[jwks]`: how keys are fetched for the issuers that have a `jwks_url`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JwksConfig {
    /// The authorities (PEM) that issuers' certificates must come from, instead of those that the
    /// operating system trusts: with an issuer of one's own, name its authority alone.
    /// Default: none.
    pub ca_file: Option<PathBuf>,
    /// Where the last good keys are kept. Default: beside the audit log's folder, with `-jwks`
    /// added to its name.
    pub cache_dir: Option<PathBuf>,
    /// How often keys are fetched, in seconds, give or take a tenth; an issuer's `max-age` between
    /// 60 s and a quarter of an hour goes before. From 60 to 86,400. Default: 300.
    pub refresh_s: u64,
}

impl Default for JwksConfig {
    fn default() -> Self {
        Self { ca_file: None, cache_dir: None, refresh_s: 300 }
    }
}

impl JwksConfig {
    /// Whether `refresh_s` is within its bounds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        (60..=86_400).contains(&self.refresh_s)
    }

    pub(super) fn pace(&self) -> Pace {
        Pace { refresh: Duration::from_secs(self.refresh_s), ..Pace::USUAL }
    }
}

/// How often and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between two fetches that nobody asked for.
    pub(super) refresh: Duration,
    /// After one that failed.
    pub(super) retry: Duration,
    /// The bounds of what an issuer's `max-age` may ask for.
    pub(super) max_age: (Duration, Duration),
    /// Between two fetches that tokens asked for.
    pub(super) demand_gap: Duration,
    /// For how long a request waits for one.
    pub(super) wait_max: Duration,
    /// So many requests wait at once.
    pub(super) waiting_max: usize,
    /// For how long keys count that could not be fetched anew. No token may live longer.
    pub(super) stale_max: Duration,
}

impl Pace {
    pub(super) const USUAL: Self = Self {
        refresh: Duration::from_secs(300),
        retry: Duration::from_secs(30),
        max_age: (Duration::from_secs(60), Duration::from_secs(900)),
        demand_gap: Duration::from_secs(30),
        wait_max: Duration::from_secs(1),
        waiting_max: 64,
        stale_max: Duration::from_secs(24 * 60 * 60),
    };

    /// Until the next fetch after a good one.
    pub(super) fn after_success(&self, max_age: Option<Duration>) -> Duration {
        let (least, most) = self.max_age;
        jittered(max_age.map_or(self.refresh, |max_age| max_age.clamp(least, most)))
    }

    /// Until the next fetch after a failed one.
    pub(super) fn after_failure(&self) -> Duration {
        jittered(self.retry.min(self.refresh))
    }
}

/// Up to a tenth less or more, so that many gateways do not ask in step. Without randomness, all
/// of it.
fn jittered(duration: Duration) -> Duration {
    let mut byte = [128];
    let _ = getrandom::fill(&mut byte);
    duration.mul_f64(0.9 + 0.2 * f64::from(byte[0]) / 255.0)
}
