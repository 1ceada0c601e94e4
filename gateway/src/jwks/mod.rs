//! Issuers' keys from the network: fetched beside the requests, handed to the policy, kept on disk.
//!
//! A request never fetches. One with a key that nobody knows may wait a moment for a fetch that
//! somebody else makes, and there is at most one of those per issuer in [`Pace::demand_gap`]: a
//! flood of invented key ids costs the issuer two requests a minute, and holds
//! [`Pace::waiting_max`] places at most.
//!
//! Keys that were good once stay good while the issuer cannot be reached, for a day: longer than
//! any token lives. They are on disk too, so that a restart needs no issuer. Each change of them is on
//! record, and the first fetch that fails.
//!
//! What is absent: redirects, addresses from tokens, and any way to turn the check of the issuer's
//! certificate off.

mod config;
mod error;
mod fetch;
mod last_good;
mod record;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use sealgate_policies::{PolicySet, RemoteIssuer, TokenRefusal};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::callers::bearer;
use crate::journal::Journal;
pub use config::JwksConfig;
use config::Pace;
pub use error::JwksError;
use fetch::Fetcher;
use last_good::LastGood;
use record::Recorder;
use source::Source;

/// The keys of all issuers that publish them. Outlives every policy set.
pub struct Jwks {
    fetcher: Arc<Fetcher>,
    last_good: Arc<LastGood>,
    pace: Pace,
    sources: Mutex<HashMap<Address, Running>>,
    waiting: Semaphore,
}

/// Keys belong to an issuer **and** an address: a folder that changes either gets none of the
/// keys that were there before.
type Address = (Arc<str>, Arc<str>);

/// A source and the task that fetches for it; the task ends with it.
struct Running {
    source: Arc<Source>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Jwks {
    /// Fetches nothing yet. The last good keys are kept in the folder `cache_dir`, which is made
    /// when there are some.
    ///
    /// # Errors
    /// `ca_file` cannot be used.
    pub fn new(config: &JwksConfig, cache_dir: PathBuf) -> Result<Self, JwksError> {
        let fetcher = Fetcher::new(config.ca_file.as_deref())?;
        Ok(Self::at_pace(fetcher, LastGood(cache_dir), config.pace()))
    }

    fn at_pace(fetcher: Fetcher, last_good: LastGood, pace: Pace) -> Self {
        Self {
            fetcher: Arc::new(fetcher),
            last_good: Arc::new(last_good),
            waiting: Semaphore::new(pace.waiting_max),
            sources: Mutex::default(),
            pace,
        }
    }

    /// Provides a policy set with keys, now and for as long as it lives; before it is used. Sources
    /// that no living set names any more are given up. Needs a running tokio.
    pub fn adopt(&self, set: &PolicySet, journal: &Arc<Journal>) {
        let mut sources = self.sources();
        for issuer in set.remote_issuers() {
            let address = (Arc::clone(issuer.issuer()), Arc::clone(issuer.jwks_url()));
            let running = sources.entry(address).or_insert_with(|| self.start(&issuer, journal));
            running.source.provide(issuer);
        }
        sources.retain(|_, running| running.source.is_used());
    }

    /// Returns when each source has been tried once.
    pub async fn tried(&self) {
        let sources: Vec<_> =
            self.sources().values().map(|running| Arc::clone(&running.source)).collect();
        for source in sources {
            source.tried().await;
        }
    }

    /// Checks a request's token. When the check fails for want of a key (or by a key that may have
    /// been replaced under its name), waits for fresh ones and checks once more.
    ///
    /// # Errors
    /// What the last check said.
    pub async fn with_fresh_keys<T>(
        &self,
        set: &PolicySet,
        headers: &HeaderMap,
        check: impl Fn() -> Result<T, TokenRefusal>,
    ) -> Result<T, TokenRefusal> {
        match check() {
            Err(TokenRefusal::KeyUnknown | TokenRefusal::Signature)
                if self.refreshed(set, bearer(headers)?).await =>
            {
                check()
            }
            outcome => outcome,
        }
    }

    /// Whether keys of the issuer that the token claims have been fetched meanwhile.
    async fn refreshed(&self, set: &PolicySet, token: &str) -> bool {
        let Some(issuer) = set.claimed_remote_issuer(token) else { return false };
        let Ok(_place) = self.waiting.try_acquire() else { return false };
        let Some(source) = self.source(&issuer) else { return false };
        match source.ask(self.pace.demand_gap) {
            Some(mut rounds) => timeout(self.pace.wait_max, rounds.changed()).await.is_ok(),
            None => false,
        }
    }

    fn source(&self, issuer: &RemoteIssuer) -> Option<Arc<Source>> {
        let address = (Arc::clone(issuer.issuer()), Arc::clone(issuer.jwks_url()));
        self.sources().get(&address).map(|running| Arc::clone(&running.source))
    }

    fn start(&self, issuer: &RemoteIssuer, journal: &Arc<Journal>) -> Running {
        let recorder = Recorder::new(issuer.issuer(), Arc::clone(journal));
        let source = Arc::new(Source::new(issuer, recorder));
        let work = source.clone().run(self.fetcher.clone(), self.last_good.clone(), self.pace);
        Running { source, task: tokio::spawn(work).abort_handle() }
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<Address, Running>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
