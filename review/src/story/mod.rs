//! One request's story: every record that names it, read from the log itself.

mod words;

use std::path::Path;

use rusqlite::params;
use sealgate_audit::{
    Checkpoint, Entry, Event, LogReader, Record, Text, VerifierKey, leaf_hash, records_from,
};

pub use words::{Words, words};

use crate::error::ReviewError;
use crate::index::{Index, stored_id};

/// Every record of one request, in the order of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The gateway's id of the request.
    pub request_id: String,
    /// Its records.
    pub parts: Vec<Part>,
}

/// A record and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The segment's file name.
    pub file: String,
    /// Bytes from the start of that file.
    pub at: u64,
    /// The hash of its leaf, in hex: what a proof of inclusion is for.
    pub leaf: String,
    /// The record itself.
    pub record: Record,
    /// The record, and where it was read.
    entry: Entry,
}

/// Whether a record's place in the tree that was published last is proved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Proved {
    /// It is, under a checkpoint over so many records.
    Under(u64),
    /// The next checkpoint will cover it.
    NotYet,
    /// It is not: why.
    No(String),
}

impl Part {
    /// Proves the record from the tiles of the log in `dir`, and checks the proof under `key`.
    #[must_use]
    pub fn prove(&self, dir: &Path, key: &VerifierKey) -> Proved {
        match LogReader::new(dir).prove(&self.entry) {
            Ok(None) => Proved::NotYet,
            Ok(Some(proof)) => match proof.check(key) {
                Ok(_) => Checkpoint::open(&proof.checkpoint, key).map_or_else(
                    |why| Proved::No(why.to_string()),
                    |tree| Proved::Under(tree.size),
                ),
                Err(why) => Proved::No(why.to_string()),
            },
            Err(why) => Proved::No(why.to_string()),
        }
    }
}

impl Index {
    /// The story of the request with this id.
    ///
    /// # Errors
    /// When there is none, and when the log does not hold what the index says.
    pub fn story(&self, request_id: &str) -> Result<Story, ReviewError> {
        let id = Text::from(request_id);
        let stored = stored_id(&id);
        let mut statement = self.connection().prepare(PLACES)?;
        let mut rows = statement.query(params![stored])?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next()? {
            let file: String = row.get(1)?;
            parts.push(read_at(self.dir(), row.get(0)?, &file, row.get(2)?)?);
        }
        if parts.is_empty() {
            return Err(ReviewError::NoRequest(request_id.to_owned()));
        }
        if parts.iter().any(|part| of_request(&part.record.event) != Some(&id)) {
            return Err(ReviewError::Stale);
        }
        Ok(Story { request_id: request_id.to_owned(), parts })
    }
}

/// Reads record `n` from where the index says it begins.
pub(crate) fn read_at(dir: &Path, n: u64, file: &str, at: u64) -> Result<Part, ReviewError> {
    let entry = records_from(dir, file, at)?.next().transpose()?.ok_or(ReviewError::Stale)?;
    let record = entry.record().map_err(|source| ReviewError::Record {
        file: file.to_owned(),
        offset: at,
        source,
    })?;
    if record.n != n || entry.offset != at || entry.file != file {
        return Err(ReviewError::Stale);
    }
    let leaf = hex::encode(leaf_hash(&entry.body));
    Ok(Part { file: entry.file.clone(), at, leaf, record, entry })
}

/// The request that an event speaks of.
fn of_request(event: &Event) -> Option<&Text> {
    match event {
        Event::Decision(decision) => Some(&decision.request_id),
        Event::Outcome(outcome) => Some(&outcome.request_id),
        Event::CandidateDiffered(differed) => Some(&differed.request_id),
        Event::Retried(retried) => Some(&retried.request_id),
        Event::AdminOrder(order) => Some(&order.request_id),
        _ => None,
    }
}

const PLACES: &str = "
SELECT n, (SELECT text FROM texts WHERE id = file), at FROM (
    SELECT n, file, at FROM requests WHERE request_id = ?1
    UNION ALL
    SELECT outcome_n, outcome_file, outcome_at FROM requests
    WHERE request_id = ?1 AND outcome_n IS NOT NULL
    UNION ALL
    SELECT n, file, at FROM events WHERE request_id = ?1
) ORDER BY n";
