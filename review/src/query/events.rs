//! Everything that is not a request: the life of the gateway, its policies, its workers, orders.

use std::path::Path;

use rusqlite::{Row, params};
use sealgate_audit::Record;
use serde::Serialize;

use crate::error::ReviewError;
use crate::index::Index;
use crate::story::read_at;

/// An event, read from the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// Its running number in the log.
    pub n: u64,
    /// Its type, as the log names it.
    pub kind: String,
    /// The record itself.
    pub record: Record,
}

/// From when on which policies were in force.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PolicyVersion {
    /// The running number of the record that says so.
    pub n: u64,
    /// When, in microseconds of Unix time.
    pub time_us: u64,
    /// SHA-256 of the policies, in hex.
    pub digest: String,
    /// What had them read: `started`, `changed`, `sighup` or `admin`.
    pub why: String,
}

impl Index {
    /// Events, the newest first: those of type `kind` if one is given, and older than record
    /// `behind` if that is.
    ///
    /// # Errors
    /// When the index does not answer, or the log does not hold what it says.
    pub fn events(
        &self,
        kind: Option<&str>,
        behind: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Happening>, ReviewError> {
        let mut statement = self.connection().prepare(EVENTS)?;
        let behind = behind.unwrap_or(i64::MAX as u64);
        let mut rows = statement.query(params![kind, behind, limit])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            events.push(happening(self.dir(), row)?);
        }
        Ok(events)
    }

    /// The policies that were in force one after another, the newest first.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn policy_versions(&self, limit: u32) -> Result<Vec<PolicyVersion>, ReviewError> {
        let mut statement = self.connection().prepare(POLICIES)?;
        let rows = statement.query_map([limit], |row| {
            Ok(PolicyVersion {
                n: row.get(0)?,
                time_us: row.get(1)?,
                digest: row.get(2)?,
                why: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn happening(dir: &Path, row: &Row<'_>) -> Result<Happening, ReviewError> {
    let n = row.get(0)?;
    let file: String = row.get(1)?;
    let part = read_at(dir, n, &file, row.get(2)?)?;
    Ok(Happening { n, kind: row.get(3)?, record: part.record })
}

const EVENTS: &str = "
SELECT n, (SELECT text FROM texts WHERE id = file), at, (SELECT text FROM texts WHERE id = kind)
FROM events
WHERE n < ?2 AND (?1 IS NULL OR kind = (SELECT id FROM texts WHERE text = ?1))
ORDER BY n DESC LIMIT ?3";
const POLICIES: &str = "
SELECT n, time_us, (SELECT text FROM texts WHERE id = policy),
    (SELECT text FROM texts WHERE id = why)
FROM policy_versions ORDER BY n DESC LIMIT ?1";
