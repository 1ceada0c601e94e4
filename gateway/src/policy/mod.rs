//! The policy in force: a folder, read and checked whole, and swapped for a newer one between
//! two requests.
//!
//! A request goes by the [`InForce`] it began with, to its end: who asks, what he may do, what the
//! record and the receipt say. What is absent: a way to change a set that is in force, and a way
//! for a folder that has an error to take effect.

mod fingerprint;
mod reload;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use sealgate_audit as audit;
use sealgate_policies::{PolicyDigest, PolicySet, Profile};

use fingerprint::Fingerprint;
pub use reload::{Cause, NotReloaded};
pub use watch::watch;

use crate::jwks::Jwks;

/// One version of the policy, as requests go by it.
pub struct InForce {
    /// What decides.
    pub set: PolicySet,
    /// SHA-256 of the folder, as records and receipts show it.
    pub digest: audit::Text,
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
    /// Whether it is in force.
    good: bool,
}

impl Policy {
    /// Reads the folder; without a good one there is no gateway.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(dir: PathBuf, profile: Profile, jwks: Arc<Jwks>) -> Result<Self, NotReloaded> {
        let (set, fingerprint) = reload::read(&dir, profile);
        let set = set?;
        reload::warn(&set);
        let current = ArcSwap::from_pointee(InForce::new(set));
        let last = Mutex::new(LastRead { fingerprint, good: true });
        Ok(Self { dir, profile, current, jwks, last, reading: Mutex::new(()) })
    }

    /// What a request that begins now goes by.
    #[must_use]
    pub fn current(&self) -> Arc<InForce> {
        self.current.load_full()
    }

    /// Has issuers' keys fetched for the set in force, and waits until each has been tried once.
    pub async fn fetch_keys(&self) {
        self.jwks.adopt(&self.current().set);
        self.jwks.tried().await;
    }

    /// Whether the folder as it is now is in force.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.last().good
    }

    fn last(&self) -> MutexGuard<'_, LastRead> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    fn new(set: PolicySet) -> Self {
        Self { digest: set.digest().hex().into(), set }
    }

    /// SHA-256 of the folder.
    #[must_use]
    pub fn digest(&self) -> PolicyDigest {
        self.set.digest()
    }
}
