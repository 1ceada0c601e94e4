//! What goes on behind the pages: the index follows the log, and the log is verified.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use sealgate_audit::{Report, VerifierKey, VerifyOptions, verify};

use crate::error::ReviewError;
use crate::index::Index;
use crate::moment::now_us;

/// What is known of the log now.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// Of the last verification that came to an end.
    pub(super) verified: Option<Verified>,
    /// How far one that is under way has got, of 100.
    pub(super) percent: Option<u64>,
    /// Why the index could not follow the log.
    pub(super) behind: Option<String>,
}

/// The end of a verification.
#[derive(Clone)]
pub(super) struct Verified {
    /// When it ended, in microseconds of Unix time.
    pub(super) at_us: u64,
    /// What it found, or why it could not be done.
    pub(super) result: Result<Arc<Report>, String>,
}

/// Shared with the pages.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<Mutex<Known>>);

impl Watch {
    /// The key that signs the log, once a verification has come to its end.
    pub(super) fn key(&self) -> Option<VerifierKey> {
        self.known().verified?.result.ok()?.key.clone()
    }

    /// What is known now.
    pub(super) fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Follows the log for as long as the process lives.
    pub(super) fn follow(&self, mut index: Index) {
        let watch = self.clone();
        std::thread::spawn(move || {
            loop {
                let behind = follow_once(&mut index);
                watch.tell(|known| known.behind = behind);
                sleep(FOLLOW_EVERY);
            }
        });
    }

    /// Verifies the log at once, and again while it changes.
    pub(super) fn verify(&self, dir: PathBuf, against: VerifyOptions) {
        let watch = self.clone();
        std::thread::spawn(move || {
            loop {
                let (before, begun) = (stamp(&dir), Instant::now());
                let progress = watch.clone();
                let result = verify(&dir, &against, &mut |done, total| {
                    let percent = (done * 100).checked_div(total);
                    progress.tell(|known| known.percent = percent);
                });
                let result = result.map(Arc::new).map_err(|error| error.to_string());
                let verified = Verified { at_us: now_us(), result };
                watch.tell(|known| {
                    known.percent = None;
                    known.verified = Some(verified);
                });
                // At most a twentieth of the time goes into this.
                sleep(VERIFY_EVERY.max(begun.elapsed() * 20));
                while stamp(&dir) == before {
                    sleep(FOLLOW_EVERY);
                }
            }
        });
    }
}

/// Why the index does not have all of the log; `None` if it has.
fn follow_once(index: &mut Index) -> Option<String> {
    match index.refresh(&mut |_, _| {}) {
        Ok(refreshed) => refreshed.damage.map(|finding| finding.to_string()),
        // Somebody else refreshes it, which is as good.
        Err(ReviewError::Busy) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Changes when the log does: names, lengths and times of its files.
fn stamp(dir: &Path) -> Vec<(OsString, u64, Option<SystemTime>)> {
    let entries = dir.read_dir().into_iter().flatten().flatten();
    let stamp = entries.filter_map(|entry| {
        let facts = entry.metadata().ok()?;
        Some((entry.file_name(), facts.len(), facts.modified().ok()))
    });
    let mut stamp: Vec<_> = stamp.collect();
    stamp.sort();
    stamp
}

const FOLLOW_EVERY: Duration = Duration::from_secs(2);
const VERIFY_EVERY: Duration = Duration::from_secs(60);
