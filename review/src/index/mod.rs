//! The index: made from the log, never the other way.

mod file;
mod fill;
mod ingest;
mod names;
mod schema;
mod state;
mod tally;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};
use sealgate_audit::{Finding, records};

pub use file::beside;
pub(crate) use ingest::{HOUR_US, stored_id};

use crate::error::ReviewError;
use state::State;

/// An index of one log. See the crate's example.
pub struct Index {
    dir: PathBuf,
    connection: Connection,
}

/// What a refresh did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refreshed {
    /// Records that were added.
    pub added: u64,
    /// Whether everything was made anew: at the first time, after a change of the tables, and when
    /// the log no longer was the one that had been indexed.
    pub anew: bool,
    /// Where the log could be read no further. What stands before it is indexed.
    pub damage: Option<Finding>,
}

impl Index {
    /// Opens the index `path` of the log in `dir`; makes it, empty, if it is missing.
    ///
    /// # Errors
    /// When there is no log, or the file is something else or lies among the log's own.
    pub fn open(dir: &Path, path: &Path) -> Result<Self, ReviewError> {
        // Before a file is made beside a folder that only looks like one.
        records(dir)?;
        Ok(Self { dir: dir.to_owned(), connection: file::open(dir, path)? })
    }

    /// The log's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The log's name, as its first record says; empty if the index is.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn log_name(&self) -> Result<String, ReviewError> {
        let state = State::load(&self.connection)?;
        Ok(state.map(|state| state.log.origin).unwrap_or_default())
    }

    /// Where questions go.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Adds what the log has gained. `progress` is told bytes done and bytes in all.
    ///
    /// # Errors
    /// When the log cannot be read or the index cannot be written. A damaged log is no error.
    pub fn refresh(
        &mut self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Refreshed, ReviewError> {
        let state = State::load(&self.connection)?;
        let holds = state.as_ref().map_or(Ok(false), |state| state.still_holds(&self.dir))?;
        match holds {
            true => fill::fill(&self.connection, &self.dir, progress),
            false => self.rebuild(progress),
        }
    }

    /// Makes the index anew.
    ///
    /// # Errors
    /// As [`Index::refresh`].
    pub fn rebuild(
        &mut self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Refreshed, ReviewError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        schema::create(&transaction)?;
        transaction.pragma_update(None, "application_id", schema::APPLICATION)?;
        transaction.pragma_update(None, "user_version", schema::VERSION)?;
        transaction.commit()?;
        let filled = fill::fill(&self.connection, &self.dir, progress)?;
        // What was written is as large as the index itself; somebody who reads may keep it a while.
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(Refreshed { anew: true, ..filled })
    }
}
