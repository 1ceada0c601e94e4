use std::fs::{DirEntry, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sealgate_worker::function::{ReplayStore, StoreError};

/// What was opened, as one empty file each in a folder. Making a file that must not be there is one
/// step on a local disk and on NFS from version 3 on, so all processes that see the folder may share
/// it.
///
/// A file's name is the second until which it counts and the keyed hash of an encapsulated key. Those
/// that count no more are removed now and then.
pub struct FileReplays {
    folder: PathBuf,
    claims: AtomicU32,
}

impl FileReplays {
    /// Uses a folder that is there: one that was made here would be one environment's own, and what was
    /// to be mounted in its place would not be missed.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: PathBuf) -> std::io::Result<Self> {
        if !std::fs::metadata(&folder)?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        Ok(Self { folder, claims: AtomicU32::new(0) })
    }

    /// Removes what counts no more at `now_s`; at most so many, since a request waits for it.
    fn forget(&self, now_s: u64) -> std::io::Result<()> {
        let over = |entry: &std::io::Result<DirEntry>| {
            entry.as_ref().map_or(true, |entry| counts_until(entry).is_some_and(|s| s < now_s))
        };
        for entry in std::fs::read_dir(&self.folder)?.filter(over).take(FORGOTTEN_MAX) {
            // Another process may have removed it.
            let _ = std::fs::remove_file(entry?.path());
        }
        Ok(())
    }
}

/// The second until which a file counts; none of a file that is not ours.
fn counts_until(entry: &DirEntry) -> Option<u64> {
    let name = entry.file_name();
    let (until_s, _) = name.to_str()?.split_once('-')?;
    until_s.parse().ok()
}

impl ReplayStore for FileReplays {
    fn claim(&self, key: &[u8; 32], until: SystemTime) -> Result<bool, StoreError> {
        let until_s = seconds(until)?;
        if self.claims.fetch_add(1, Ordering::Relaxed).is_multiple_of(CLAIMS_PER_SWEEP) {
            let now_s = seconds(SystemTime::now())?;
            self.forget(now_s.saturating_sub(CLOCKS_APART_S)).map_err(said)?;
        }
        let path = self.folder.join(format!("{until_s}-{}", hex::encode(key)));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(said(error)),
        }
    }
}

/// One more than the whole seconds: nothing is forgotten within its last one.
fn seconds(time: SystemTime) -> Result<u64, StoreError> {
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| StoreError("no clock".to_owned()))?;
    Ok(since.as_secs() + 1)
}

fn said(error: std::io::Error) -> StoreError {
    StoreError(error.to_string())
}

const CLAIMS_PER_SWEEP: u32 = 1024;
/// More than are added between two sweeps.
const FORGOTTEN_MAX: usize = 4 * CLAIMS_PER_SWEEP as usize;
/// Another process that shares the folder may have a clock that is late.
const CLOCKS_APART_S: u64 = 60;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_many_who_claim_at_once_in_several_processes_one_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        // Each of its own, as processes are.
        let stores: Vec<_> =
            (0..8).map(|_| FileReplays::open(folder.path().to_owned()).unwrap()).collect();
        let until = SystemTime::now() + Duration::from_secs(300);
        for key in 0..20u8 {
            let taken: usize = std::thread::scope(|scope| {
                let claims: Vec<_> = stores
                    .iter()
                    .map(|store| scope.spawn(move || store.claim(&[key; 32], until).unwrap()))
                    .collect();
                claims.into_iter().map(|claim| usize::from(claim.join().unwrap())).sum()
            });
            assert_eq!(taken, 1);
        }
    }

    #[test]
    fn what_counts_no_more_is_forgotten_and_what_counts_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileReplays::open(folder.path().to_owned()).unwrap();
        let now = SystemTime::now();
        let (old, new) = (now - Duration::from_secs(10), now + Duration::from_secs(300));
        assert!(store.claim(&[1; 32], old).unwrap());
        assert!(store.claim(&[2; 32], new).unwrap());
        store.forget(seconds(now).unwrap()).unwrap();
        assert!(store.claim(&[1; 32], old).unwrap(), "forgotten");
        assert!(!store.claim(&[2; 32], new).unwrap());
    }

    #[test]
    fn a_folder_that_is_gone_lets_nothing_pass() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("opened");
        assert!(FileReplays::open(gone.clone()).is_err(), "it makes none");
        std::fs::create_dir(&gone).unwrap();
        let store = FileReplays::open(gone.clone()).unwrap();
        std::fs::remove_dir(gone).unwrap();
        let until = SystemTime::now() + Duration::from_secs(300);
        assert!(store.claim(&[1; 32], until).is_err());
    }
}
