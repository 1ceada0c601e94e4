//! From the folder on disk to a set in force, or to what is wrong with it.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use sealgate_audit as audit;
use sealgate_policies::{
    CaseReport, Folder, Mistakes, PolicyDigest, PolicySet, Profile, Severity, run_cases,
};

use super::fingerprint::Fingerprint;
use super::{InForce, LastRead, Policy};
use crate::cost;
use crate::journal::{Journal, now_s};

/// Why the folder is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It has changed.
    Changed,
    /// The process was sent SIGHUP.
    Signal,
    /// An admin asked for it.
    Admin,
}

impl Cause {
    /// Its word in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Signal => "sighup",
            Self::Admin => "admin",
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
    /// It does not decide as its own tests say.
    #[error("the folder's own tests fail\n{}", self.lines().join("\n"))]
    Tests(CaseReport),
    /// It was being written while it was read, each time.
    #[error("the folder changes while it is read")]
    Unsteady,
}

impl NotReloaded {
    /// Each error in words, with its hint.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Mistakes(mistakes) => {
                let errors = mistakes.iter().filter(|one| one.severity == Severity::Error);
                errors.map(ToString::to_string).collect()
            }
            Self::Tests(report) => {
                let failed = report.cases.iter().filter(|case| !case.is_well());
                let mistakes = report.mistakes.iter().map(ToString::to_string);
                mistakes.chain(failed.map(ToString::to_string)).collect()
            }
            Self::Unsteady => vec![self.to_string()],
        }
    }
}

impl Policy {
    /// Reads the folder again, and puts it in force if nothing is wrong with it. Blocks: not for
    /// a runtime's thread.
    ///
    /// # Errors
    /// Why the last good set stays in force.
    pub fn reload(&self, cause: Cause, journal: &Arc<Journal>) -> Result<Reloaded, NotReloaded> {
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current();
        let (read, fingerprint) = read(&self.dir, self.profile);
        let mistakes = read.as_ref().err().map(NotReloaded::lines).unwrap_or_default();
        let reloads = self.reloads();
        *self.last() = LastRead { fingerprint, mistakes, reloads };
        match read {
            Ok(next) => Ok(self.put_in_force(next, &before, cause, journal)),
            Err(why) => {
                self.last().reloads.refused += 1;
                tell_refused(&why, before.digest(), cause, journal);
                Err(why)
            }
        }
    }

    fn put_in_force(
        &self,
        next: InForce,
        before: &InForce,
        cause: Cause,
        journal: &Arc<Journal>,
    ) -> Reloaded {
        let digest = next.digest();
        let changed = digest != before.digest() || next.candidate() != before.candidate();
        if changed {
            warn(&next.set);
            journal.note(&audit::Event::PolicyLoaded(audit::PolicyLoaded {
                candidate_digest: next.candidate().map(|digest| digest.hex().into()),
                policy_digest: digest.hex().into(),
                previous_digest: before.digest.clone(),
                why: cause.as_str().into(),
            }));
            if let Some(prices) = cost::in_force(&next, Some(before)) {
                journal.note(&prices);
            }
            self.provide_with_keys(&next, journal);
            self.current.store(Arc::new(next));
            self.last().reloads.in_force += 1;
            tracing::info!(policy = digest.hex(), why = cause.as_str(), "policy in force");
        }
        Reloaded { digest, changed }
    }
}

/// A folder as it was read: what would be in force, or why not.
pub(super) type Read = (Result<InForce, NotReloaded>, Option<Fingerprint>);

/// Reads a folder that keeps still while it is read, and says what it looked like.
pub(super) fn read(dir: &Path, profile: Profile) -> Read {
    for _ in 0..ATTEMPTS {
        let before = Fingerprint::of(dir).ok();
        let folder = Folder::read(dir);
        if before == Fingerprint::of(dir).ok() {
            return (
                folder.map_err(NotReloaded::Mistakes).and_then(|f| check(&f, profile)),
                before,
            );
        }
        thread::sleep(BETWEEN_ATTEMPTS);
    }
    (Err(NotReloaded::Unsteady), None)
}

/// A candidate with mistakes is no reason to refuse the folder it lies in: nobody enforces it.
fn check(folder: &Folder, profile: Profile) -> Result<InForce, NotReloaded> {
    let set = PolicySet::from_folder(folder, profile).map_err(NotReloaded::Mistakes)?;
    let tested = run_cases(&set, folder);
    if !tested.is_well() {
        return Err(NotReloaded::Tests(tested));
    }
    let candidate = folder.candidate().map(|candidate| PolicySet::from_folder(&candidate, profile));
    let candidate = candidate.and_then(|candidate| {
        let told = |mistakes: &Mistakes| {
            let lines = mistakes.iter().map(|one| one.to_string().replace('\n', "; "));
            lines.for_each(|line| tracing::warn!("candidate: {line}"));
        };
        candidate.inspect_err(told).ok()
    });
    Ok(InForce::new(set, candidate))
}

/// What somebody should look at although it works.
pub(super) fn warn(set: &PolicySet) {
    for warning in set.warnings_at(now_s()).iter() {
        tracing::warn!("{}", warning.to_string().replace('\n', "; "));
    }
}

fn tell_refused(why: &NotReloaded, kept: PolicyDigest, cause: Cause, journal: &Journal) {
    let lines = why.lines();
    for line in &lines {
        tracing::error!("{}", line.replace('\n', "; "));
    }
    let first = lines.first().map(String::as_str).unwrap_or_default();
    tracing::error!(
        policy = kept.hex(),
        mistakes = lines.len(),
        "the last good policy stays in force"
    );
    journal.note(&audit::Event::PolicyRefused(audit::PolicyRefused {
        first: first.chars().take(FIRST_CHARS_MAX).collect::<String>().into(),
        mistakes: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        policy_digest: kept.hex().into(),
        why: cause.as_str().into(),
    }));
}

const ATTEMPTS: u32 = 10;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(50);
/// Of a mistake's text, as much as a record holds.
const FIRST_CHARS_MAX: usize = 512;
