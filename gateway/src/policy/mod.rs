//! The policy in force: a folder, read and checked whole, and swapped for a newer one between
//! two requests.
//!
//! A request goes by the [`InForce`] it began with, to its end: who asks, what he may do, what the
//! record and the receipt say. What is absent: a way to change a set that is in force, and a way
//! for a folder that has an error to take effect.

mod fingerprint;
mod reload;
mod shadow;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use sealgate_audit as audit;
use sealgate_policies::{Mode, PolicyDigest, PolicySet, Profile};

use fingerprint::Fingerprint;
pub use reload::{Cause, NotReloaded};
pub use shadow::{caller as candidate_caller, observe};
pub use watch::watch;

use crate::journal::Journal;
use crate::jwks::Jwks;

/// One version of the policy, as requests go by it.
pub struct InForce {
    /// What decides.
    pub set: PolicySet,
    /// SHA-256 of the folder, as records and receipts show it.
    pub digest: audit::Text,
    /// What would decide if the folder's `candidate/` were in force.
    pub candidate: Option<PolicySet>,
}

/// The policy folder and what of it is in force.
pub struct Policy {
    dir: PathBuf,
    profile: Profile,
    current: ArcSwap<InForce>,
    /// Provides each set with issuers' keys before it is in force.
    jwks: Arc<Jwks>,
    last: Mutex<LastRead>,
    /// One reading at a time.
    reading: Mutex<()>,
}

/// The folder as it was last read.
struct LastRead {
    /// `None` when it did not keep still.
    fingerprint: Option<Fingerprint>,
    /// What is wrong with it; nothing when it is in force.
    mistakes: Vec<String>,
    /// What came of reading it so far.
    reloads: Reloads,
}

/// How often the folder was read after the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reloads {
    /// And another came into force.
    pub in_force: u64,
    /// And it had mistakes.
    pub refused: u64,
}

impl Policy {
    /// Whether clients may seal to workers of this model.
    #[must_use]
    pub fn seals_for_clients(&self, model: &str) -> bool {
        let current = self.current();
        current.set.model(model).is_some_and(|model| model.modes().contains(&Mode::ClientSealed))
    }

    /// Reads the folder; without a good one there is no gateway.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(dir: PathBuf, profile: Profile, jwks: Arc<Jwks>) -> Result<Self, NotReloaded> {
        let (read, fingerprint) = reload::read(&dir, profile);
        let read = read?;
        reload::warn(&read.set);
        let current = ArcSwap::from_pointee(read);
        let last =
            Mutex::new(LastRead { fingerprint, mistakes: Vec::new(), reloads: Reloads::default() });
        Ok(Self { dir, profile, jwks, current, last, reading: Mutex::new(()) })
    }

    /// What a request that begins now goes by.
    #[must_use]
    pub fn current(&self) -> Arc<InForce> {
        self.current.load_full()
    }

    /// Has issuers' keys fetched for the set in force, and waits until each has been tried once.
    pub async fn fetch_keys(&self, journal: &Arc<Journal>) {
        self.provide_with_keys(&self.current(), journal);
        self.jwks.tried().await;
    }

    fn provide_with_keys(&self, version: &InForce, journal: &Arc<Journal>) {
        [Some(&version.set), version.candidate.as_ref()]
            .into_iter()
            .flatten()
            .for_each(|set| self.jwks.adopt(set, journal));
    }

    /// Whether the folder as it is now is in force.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.last().mistakes.is_empty()
    }

    /// What is wrong with the folder as it is now, each in words.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        self.last().mistakes.clone()
    }

    /// What reloading came to so far.
    #[must_use]
    pub fn reloads(&self) -> Reloads {
        self.last().reloads
    }

    fn last(&self) -> MutexGuard<'_, LastRead> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    fn new(set: PolicySet, candidate: Option<PolicySet>) -> Self {
        Self { digest: set.digest().hex().into(), set, candidate }
    }

    /// SHA-256 of the folder as it would be with its candidate.
    #[must_use]
    pub fn candidate(&self) -> Option<PolicyDigest> {
        self.candidate.as_ref().map(PolicySet::digest)
    }

    /// SHA-256 of the folder.
    #[must_use]
    pub fn digest(&self) -> PolicyDigest {
        self.set.digest()
    }
}
