//! Which log an index is of, and how far it has got.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use sealgate_audit::{Entry, Event, Hash, leaf_hash, records, records_from};

use super::schema::VERSION;
use crate::error::ReviewError;

/// The state of an index that holds at least one record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct State {
    pub(super) log: LogId,
    pub(super) last: Last,
}

/// How a log begins. Records are salted, so no two logs begin alike.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LogId {
    pub(super) first_leaf: Hash,
    /// As the first record names them; empty if it is no beginning of a log.
    pub(super) origin: String,
    pub(super) key: String,
}

/// The last record that is indexed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Last {
    pub(super) n: u64,
    pub(super) file: String,
    pub(super) at: u64,
    pub(super) leaf: Hash,
}

impl State {
    /// `None` if the index is empty or of another version.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != VERSION {
            return Ok(None);
        }
        let row = "SELECT first_leaf, origin, key, n, file, at, leaf FROM state";
        connection
            .query_row(row, [], |row| {
                let log = LogId { first_leaf: row.get(0)?, origin: row.get(1)?, key: row.get(2)? };
                let last =
                    Last { n: row.get(3)?, file: row.get(4)?, at: row.get(5)?, leaf: row.get(6)? };
                Ok(Self { log, last })
            })
            .optional()
    }

    /// Saves it, within the transaction that saves what it speaks of.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { log, last } = self;
        connection.execute(
            "INSERT OR REPLACE INTO state VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![log.first_leaf, log.origin, log.key, last.n, last.file, last.at, last.leaf],
        )?;
        Ok(())
    }

    /// Whether the log in `dir` still begins as it did and still holds the last record where it
    /// was. Otherwise it is another log, or was rewritten or cut, and nothing here counts.
    pub(super) fn still_holds(&self, dir: &Path) -> Result<bool, ReviewError> {
        let begins = LogId::of(dir)?.is_some_and(|log| log == self.log);
        let mut rest = records_from(dir, &self.last.file, self.last.at)?;
        // Damage there is for a verification to tell.
        let there = rest.next().and_then(Result::ok);
        let holds = there.is_some_and(|entry| {
            entry.file == self.last.file
                && entry.offset == self.last.at
                && leaf_hash(&entry.body) == self.last.leaf
        });
        Ok(begins && holds)
    }
}

impl LogId {
    /// Reads the first record; `None` if there is none yet.
    pub(super) fn of(dir: &Path) -> Result<Option<Self>, ReviewError> {
        let first = records(dir)?.next().transpose()?;
        Ok(first.as_ref().map(Self::from))
    }
}

impl From<&Entry> for LogId {
    fn from(first: &Entry) -> Self {
        let (origin, key) = match first.record().map(|record| record.event) {
            Ok(Event::LogStarted(started)) => (started.origin.to_string(), started.key.to_string()),
            _ => Default::default(),
        };
        Self { first_leaf: leaf_hash(&first.body), origin, key }
    }
}

impl Last {
    pub(super) fn new(entry: &Entry, n: u64) -> Self {
        Self { n, file: entry.file.clone(), at: entry.offset, leaf: leaf_hash(&entry.body) }
    }
}
