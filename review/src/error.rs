//! What can go wrong.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sealgate_audit::AuditError;

/// Why a log could not be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// The log could not be read.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A record of the log is none of this version.
    #[error(
        "`{file}` at byte {offset}: the record cannot be read\nhint: does `sealgate audit verify` find the log whole?"
    )]
    Record {
        /// The segment's file name.
        file: String,
        /// Bytes from the start of that file.
        offset: u64,
        /// The cause.
        source: serde_json::Error,
    },
    /// SQLite could not do its work.
    #[error("the index does not answer\nhint: `sealgate audit index DIR --rebuild` makes it anew")]
    Index(#[from] rusqlite::Error),
    /// Somebody else refreshes the index and does not end.
    #[error("the index is being written by another process\nhint: try again when it has ended")]
    Busy,
    /// The file is there and is not an index.
    #[error("`{}` is no index of an audit log\nhint: name another file with `--index FILE`", .0.display())]
    Foreign(PathBuf),
    /// Every file in the log's folder counts as part of it.
    #[error("the index `{}` would lie in the audit log's own folder\nhint: name a file elsewhere with `--index FILE`", .0.display())]
    InsideLog(PathBuf),
    /// A file could not be used.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No request of this id is on record.
    #[error("no request `{0}` is on record")]
    NoRequest(String),
    /// What the index points to is not there.
    #[error(
        "the log does not hold what the index says\nhint: `sealgate audit verify DIR`, then `sealgate audit index DIR --rebuild`"
    )]
    Stale,
    /// The text names no time.
    #[error(
        "`{0}` is no time\nhint: `2026-11-18`, `2026-11-18T12:00:00Z`, `today`, `yesterday`, or `30m`, `24h`, `7d` ago; all in UTC"
    )]
    Moment(String),
    /// The text is no number.
    #[error("`{given}` is no number of a {what}")]
    Number {
        /// Of what.
        what: &'static str,
        /// The text.
        given: String,
    },
    /// The address can be reached from other machines.
    #[error(
        "`{0}` can be reached from other machines\nhint: the page is for one person on this one: `--listen 127.0.0.1:0`"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The page can be served no longer.
    #[error("the page can be served no longer")]
    Serve(#[source] io::Error),
    /// The policy folder would be refused.
    #[error("the policy folder `{}` would be refused\nhint: sealgate policy check {}", .0.display(), .0.display())]
    Policies(PathBuf),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// An export could not be written.
    #[error("the export cannot be written")]
    Export(#[source] io::Error),
}

impl ReviewError {
    pub(crate) fn io(
        doing: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.as_ref().to_owned(), source }
    }
}
