//! What can go wrong.

use crate::finding::Finding;
use std::io;
use std::path::{Path, PathBuf};

/// Why a log could not be opened, read or closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A file or folder could not be used.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// There is no log here.
    #[error("`{}` holds no audit log", .0.display())]
    NoLog(PathBuf),
    /// Another process writes this log.
    #[error("the audit log `{}` is being written by another process\nhint: stop it, or give each gateway a folder of its own", .0.display())]
    Locked(PathBuf),
    /// Others than the owner could read or change the file or folder.
    #[error("`{}` is open to other users (mode {mode:o})\nhint: chmod go= {}", path.display(), path.display())]
    NotPrivate {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The log was changed or damaged, and not by a crash.
    #[error(
        "the audit log is damaged: {0}\nhint: keep the folder and the copy of its checkpoint as evidence, hold one against the other by `sealgate audit verify DIR --since COPY`, and go on with a new log by `sealgate audit recover DIR --since COPY --new-log NEW --key KEY`"
    )]
    Damaged(Box<Finding>),
    /// There is no log any more.
    #[error(
        "`{}` holds no audit log, but the copy of its checkpoint `{}` is for {records} records\nhint: bring the log back; where it is lost, keep the copy as evidence and move it away: the next start begins a new log", dir.display(), copy.display()
    )]
    Gone {
        /// Where it was.
        dir: PathBuf,
        /// The copy of its checkpoint.
        copy: PathBuf,
        /// How many records the copy is for.
        records: u64,
    },
    /// The log belongs to another signing key.
    #[error(
        "the audit log was begun with the key `{log}` and not with `{given}`\nhint: restore the key file, or begin a new log in an empty folder"
    )]
    OtherKey {
        /// The verifier key in the log.
        log: String,
        /// The verifier key of the key that was given.
        given: String,
    },
    /// The name cannot stand in a signed note.
    #[error(
        "the origin `{0}` is empty, too long, or has a space, a plus sign or a control character"
    )]
    Origin(String),
    /// Every byte in the log's folder counts, so the copy must be elsewhere.
    #[error("the checkpoint copy `{}` lies in the audit log's own folder\nhint: keep it elsewhere, best in another account or on another host", .0.display())]
    CopyInside(PathBuf),
    /// The file holds no such key.
    #[error("`{}` holds no Ed25519 key in PKCS#8 form", .0.display())]
    KeyFile(PathBuf),
    /// The text is no verifier key.
    #[error("`{0}` is not a verifier key of the form `name+hash+base64`")]
    VerifierKey(String),
    /// A checkpoint that was given is malformed or not signed by the log's key.
    #[error("the checkpoint is not one of this log: {0}")]
    Checkpoint(&'static str),
    /// Somebody removed or replaced a file under the log.
    #[error("`{}` is not the file that is being written any more", .0.display())]
    Replaced(PathBuf),
    /// The text is no epoch.
    #[error("`{0}` is not a month of the form `2026-11`")]
    Epoch(String),
    /// The file holds no key for pseudonyms.
    #[error("`{}` holds no key for pseudonyms, which is 32 bytes", .0.display())]
    PseudonymKey(PathBuf),
    /// A proof does not hold.
    #[error("the proof does not hold: {0}")]
    Proof(&'static str),
    /// The disk is too full to begin or to go on.
    #[error(
        "only {free_bytes} bytes are free under the audit log, and {low_water_bytes} must stay free\nhint: free some space or lower the mark"
    )]
    DiskLow {
        /// What is free.
        free_bytes: u64,
        /// What must stay free.
        low_water_bytes: u64,
    },
    /// Key making, salts or signatures failed.
    #[error("cryptography failed")]
    Crypto,
    /// An append failed that opening or closing needs.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The writer ended before it was asked to.
    #[error("the audit log's writer has failed: {0}")]
    WriterFailed(String),
}

impl AuditError {
    pub(crate) fn io(
        doing: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.as_ref().to_owned(), source }
    }
}

/// Why a record was not written. It is then nowhere in the log, not even in part.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Too many records wait already.
    #[error("the audit queue is full")]
    Busy,
    /// The disk is below its low-water mark.
    #[error("the disk under the audit log is nearly full")]
    DiskLow,
    /// An earlier write failed; the log takes nothing more until it is opened again.
    #[error("the audit log has failed")]
    Failed,
    /// The log is closing.
    #[error("the audit log is closed")]
    Closed,
    /// The record is longer than a frame may be.
    #[error("the audit record is too large")]
    TooLarge,
    /// The operating system gave no salt.
    #[error("no randomness for an audit record")]
    NoRandomness,
    /// The event has no JSON form.
    #[error("the audit record cannot be serialised")]
    NotSerialisable,
}
