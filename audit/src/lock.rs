//! One writer for a folder: a lock on the folder itself, so that no lock file lies among the log's own.

use crate::error::AuditError;
use crate::folder;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// The folder, locked as long as this lives.
pub(crate) struct FolderLock {
    _folder: File,
}

impl FolderLock {
    /// Makes the folder if it is missing, demands that it is private, and locks it.
    pub(crate) fn take(dir: &Path) -> Result<Self, AuditError> {
        if !dir.exists() {
            folder::make(dir).map_err(AuditError::io("create", dir))?;
        }
        let folder = File::open(dir).map_err(AuditError::io("open", dir))?;
        let facts = folder.metadata().map_err(AuditError::io("look at", dir))?;
        folder::demand_private(dir, &facts)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match folder.try_lock() {
                Ok(()) => return Ok(Self { _folder: folder }),
                // A verifier that asks whether the log is live holds the lock for an instant.
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::WouldBlock) => return Err(AuditError::Locked(dir.to_owned())),
                Err(TryLockError::Error(error)) => return Err(AuditError::io("lock", dir)(error)),
            }
        }
    }
}

/// Whether a writer holds the folder now.
pub(crate) fn is_live(dir: &Path) -> bool {
    // The lock ends when the handle is dropped.
    File::open(dir)
        .is_ok_and(|folder| matches!(folder.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

const PATIENCE: Duration = Duration::from_millis(200);
const POLL: Duration = Duration::from_millis(5);
