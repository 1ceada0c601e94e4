//! The copy of the latest checkpoint in a second place.
//!
//! Whoever holds the checkpoint key can rewrite what no copy outside their reach covers, so the
//! place should belong to another account or host.

use crate::replace::{self, Durability};
use std::path::PathBuf;
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
            let failed = replace::file(path, note.as_bytes(), Durability::Now).is_err();
            self.failed.store(failed, Ordering::Relaxed);
        }
    }
}
