//! From the folder on disk to a set in force, or to what is wrong with it.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use sealgate_audit as audit;
use sealgate_policies::{Folder, Mistakes, PolicyDigest, PolicySet, Profile, Severity};

use super::fingerprint::Fingerprint;
use super::{InForce, LastRead, Policy};
use crate::journal::{Journal, now_s};

/// Why the folder is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It has changed.
    Changed,
    /// The process was sent SIGHUP.
    Signal,
}

impl Cause {
    /// Its word in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Signal => "sighup",
        }
    }
}

/// What a reload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reloaded {
    /// The folder in force now.
    pub digest: PolicyDigest,
    /// Whether it is another one than before.
    pub changed: bool,
}

/// Why the folder does not take effect.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotReloaded {
    /// Something is wrong with it.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// It was being written while it was read, each time.
    #[error("the folder changes while it is read")]
    Unsteady,
}

impl Policy {
    /// Reads the folder again, and puts it in force if nothing is wrong with it. Blocks: not for
    /// a runtime's thread.
    ///
    /// # Errors
    /// Why the last good set stays in force.
    pub fn reload(&self, cause: Cause, journal: &Journal) -> Result<Reloaded, NotReloaded> {
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current().digest();
        let (read, fingerprint) = read(&self.dir, self.profile);
        *self.last() = LastRead { fingerprint, good: read.is_ok() };
        match read {
            Ok(set) => Ok(self.put_in_force(set, before, cause, journal)),
            Err(why) => {
                tell_refused(&why, before, cause, journal);
                Err(why)
            }
        }
    }

    fn put_in_force(
        &self,
        set: PolicySet,
        before: PolicyDigest,
        cause: Cause,
        journal: &Journal,
    ) -> Reloaded {
        let digest = set.digest();
        let changed = digest != before;
        if changed {
            warn(&set);
            journal.note(&audit::Event::PolicyLoaded(audit::PolicyLoaded {
                policy_digest: digest.hex().into(),
                previous_digest: before.hex().into(),
                why: cause.as_str().into(),
            }));
            self.jwks.adopt(&set);
            self.current.store(Arc::new(InForce::new(set)));
            tracing::info!(policy = digest.hex(), why = cause.as_str(), "policy in force");
        }
        Reloaded { digest, changed }
    }
}

/// Reads a folder that keeps still while it is read, and says what it looked like.
pub(super) fn read(
    dir: &Path,
    profile: Profile,
) -> (Result<PolicySet, NotReloaded>, Option<Fingerprint>) {
    for _ in 0..ATTEMPTS {
        let before = Fingerprint::of(dir).ok();
        let folder = Folder::read(dir);
        if before == Fingerprint::of(dir).ok() {
            let set = folder.and_then(|folder| PolicySet::from_folder(&folder, profile));
            return (set.map_err(NotReloaded::Mistakes), before);
        }
        thread::sleep(BETWEEN_ATTEMPTS);
    }
    (Err(NotReloaded::Unsteady), None)
}

/// What somebody should look at although it works.
pub(super) fn warn(set: &PolicySet) {
    for warning in set.warnings_at(now_s()).iter() {
        tracing::warn!("{}", warning.to_string().replace('\n', "; "));
    }
}

fn tell_refused(why: &NotReloaded, kept: PolicyDigest, cause: Cause, journal: &Journal) {
    let (count, first) = match why {
        NotReloaded::Mistakes(mistakes) => {
            let errors = || mistakes.iter().filter(|one| one.severity == Severity::Error);
            for mistake in errors() {
                tracing::error!("{}", mistake.to_string().replace('\n', "; "));
            }
            (errors().count(), errors().next().map(ToString::to_string).unwrap_or_default())
        }
        NotReloaded::Unsteady => (1, why.to_string()),
    };
    tracing::error!(policy = kept.hex(), mistakes = count, "the last good policy stays in force");
    journal.note(&audit::Event::PolicyRefused(audit::PolicyRefused {
        first: first.chars().take(FIRST_CHARS_MAX).collect::<String>().into(),
        mistakes: u32::try_from(count).unwrap_or(u32::MAX),
        policy_digest: kept.hex().into(),
        why: cause.as_str().into(),
    }));
}

const ATTEMPTS: u32 = 10;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);
/// Of a mistake's text, as much as a record holds.
const FIRST_CHARS_MAX: usize = 512;
