//! The copy of the latest checkpoint in a second place.
//!
//! Whoever holds the checkpoint key can rewrite what no copy outside their reach covers, so the
//! place should belong to another account or host.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where copies go, if anywhere, and whether the last one got there.
pub(crate) struct CheckpointCopy {
    path: Option<PathBuf>,
    failed: Arc<AtomicBool>,
}

impl CheckpointCopy {
    pub(crate) fn new(path: Option<PathBuf>, failed: Arc<AtomicBool>) -> Self {
        Self { path, failed }
    }

    /// Replaces the copy. A failure is told to the operator by the log's health; the log itself
    /// is none the worse and goes on.
    pub(crate) fn write(&self, note: &str) {
        if let Some(path) = &self.path {
            let failed = replace(path, note).is_err();
            self.failed.store(failed, Ordering::Relaxed);
        }
    }
}

fn replace(path: &Path, note: &str) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let fresh = folder.join(format!(".{}.new", name.to_string_lossy()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(note.as_bytes())?;
    file.sync_data()?;
    std::fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}
