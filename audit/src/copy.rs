//! The copy of the latest checkpoint in a second place.
//!
//! Whoever holds the checkpoint key can rewrite what no copy outside their reach covers, so the
//! place should belong to another account or host. Such a place may be slow, or hang: a thread of its
//! own writes the copies, and of those that wait only the newest. Nothing else waits for it, and it
//! waits for nothing else, so that copies go on when tiles do not.

use crate::error::AuditError;
use crate::replace::{self, Durability};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where copies go, if anywhere.
pub(crate) struct CheckpointCopy(Option<Arc<Desk>>);

/// Whether copies get there.
pub(crate) struct CopyHealth(Option<Arc<Desk>>);

/// What the writer and the thread share.
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is to be written next.
    waiting: Option<String>,
    /// Since when something waits or is being written.
    since: Option<Instant>,
    /// Whether the last one could not be written.
    failed: bool,
    /// Whether nothing more comes.
    ended: bool,
}

impl CheckpointCopy {
    /// Starts the thread, if there is a place.
    pub(crate) fn start(path: Option<PathBuf>) -> Result<Self, AuditError> {
        let Some(path) = path else { return Ok(Self(None)) };
        let desk = Arc::new(Desk { state: Mutex::default(), changed: Condvar::new() });
        let failed = AuditError::io("start a thread that writes", path.clone());
        let theirs = Arc::clone(&desk);
        std::thread::Builder::new()
            .name("audit-copy".to_owned())
            .spawn(move || theirs.write_to(&path))
            .map_err(failed)?;
        Ok(Self(Some(desk)))
    }

    /// For whoever wants to know whether copies get to their place.
    pub(crate) fn health(&self) -> CopyHealth {
        CopyHealth(self.0.clone())
    }

    /// Has the copy replaced. A failure is told to the operator by the log's health; the log itself
    /// is none the worse and goes on.
    pub(crate) fn write(&self, note: &str) {
        if let Some(desk) = &self.0 {
            let mut state = desk.lock();
            state.waiting = Some(note.to_owned());
            state.since.get_or_insert_with(Instant::now);
            drop(state);
            desk.changed.notify_all();
        }
    }
}

impl Drop for CheckpointCopy {
    /// Waits for the last copy, but not for a place that hangs.
    fn drop(&mut self) {
        let Some(desk) = &self.0 else { return };
        let mut state = desk.lock();
        state.ended = true;
        desk.changed.notify_all();
        let taken = state.since.map_or(PATIENCE, |since| since.elapsed());
        let left = PATIENCE.saturating_sub(taken);
        let under_way = |state: &mut State| state.since.is_some();
        let waited = desk.changed.wait_timeout_while(state, left, under_way);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl CopyHealth {
    /// Whether the last copy could not be written, or has been on its way for too long.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.as_ref().is_some_and(|desk| {
            let state = desk.lock();
            state.failed || state.since.is_some_and(|since| since.elapsed() > PATIENCE)
        })
    }
}

impl Desk {
    fn write_to(&self, path: &Path) {
        while let Some(note) = self.next() {
            let failed = replace::file(path, note.as_bytes(), Durability::Now).is_err();
            let mut state = self.lock();
            state.failed = failed;
            state.since = state.waiting.is_some().then(Instant::now);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// What to write next; nothing once nothing more comes.
    fn next(&self) -> Option<String> {
        let idle = |state: &mut State| state.waiting.is_none() && !state.ended;
        let waited = self.changed.wait_while(self.lock(), idle);
        waited.unwrap_or_else(PoisonError::into_inner).waiting.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a copy may take.
const PATIENCE: Duration = Duration::from_secs(5);
