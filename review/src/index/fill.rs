//! From where the index ends to where the log ends, batch after batch.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use sealgate_audit::{AuditError, Finding, Records, records, records_from};

use super::Refreshed;
use super::ingest::Ingest;
use super::schema;
use super::state::{Last, LogId, State};
use crate::error::ReviewError;

/// Indexes what the log in `dir` has gained.
pub(super) fn fill(
    connection: &Connection,
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Refreshed, ReviewError> {
    let Some(mut fill) = Fill::new(connection, dir)? else {
        return Ok(Refreshed::default());
    };
    let mut refreshed = Refreshed::default();
    let mut patience = PATIENCE_POLLS;
    loop {
        let read = fill.batch()?;
        refreshed.added += read.added;
        progress(fill.done_bytes.min(fill.total_bytes), fill.total_bytes);
        match read.damage {
            None if read.added < BATCH_RECORDS => break,
            None => {}
            // A bad frame at the end may be one that a gateway is writing.
            Some(_) if patience > 0 => {
                patience -= 1;
                sleep(POLL);
                fill.rest = rest(dir, fill.state.as_ref())?;
            }
            damage => {
                refreshed.damage = damage;
                break;
            }
        }
    }
    schema::create_lookups(connection)?;
    Ok(refreshed)
}

/// What is going on.
struct Fill<'c> {
    connection: &'c Connection,
    log: LogId,
    state: Option<State>,
    rest: Records,
    ingest: Ingest<'c>,
    done_bytes: u64,
    total_bytes: u64,
}

/// How a batch ended.
struct Read {
    added: u64,
    damage: Option<Finding>,
}

impl<'c> Fill<'c> {
    /// `None` if the log holds no record.
    fn new(connection: &'c Connection, dir: &Path) -> Result<Option<Self>, ReviewError> {
        let state = State::load(connection)?;
        let log = match &state {
            Some(state) => Some(state.log.clone()),
            None => LogId::of(dir)?,
        };
        let Some(log) = log else { return Ok(None) };
        let rest = rest(dir, state.as_ref())?;
        let total_bytes = bytes_behind(dir, state.as_ref().map(|state| &state.last))?;
        let ingest = Ingest::new(connection)?;
        Ok(Some(Self { connection, log, state, rest, ingest, done_bytes: 0, total_bytes }))
    }

    /// Reads and writes a batch, whole or not at all.
    fn batch(&mut self) -> Result<Read, ReviewError> {
        let begun = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        // Another process has written meanwhile, so what is at hand does not belong here.
        if State::load(&begun)? != self.state {
            return Err(ReviewError::Busy);
        }
        let mut read = Read { added: 0, damage: None };
        let mut last = None;
        while read.added < BATCH_RECORDS {
            let entry = match self.rest.next() {
                Some(Ok(entry)) => entry,
                Some(Err(AuditError::Damaged(finding))) => {
                    // Who began in the middle has not counted from the beginning.
                    let indexed = self.state.as_ref().map(|state| state.last.n);
                    let last = last.as_ref().map(|(_, n)| *n).or(indexed);
                    let record = last.map_or(0, |last| last + 1);
                    read.damage = Some(Finding { record, ..*finding });
                    break;
                }
                Some(Err(error)) => return Err(error.into()),
                None => break,
            };
            let record = entry.record().map_err(|source| ReviewError::Record {
                file: entry.file.clone(),
                offset: entry.offset,
                source,
            })?;
            self.ingest.record(&entry, &record)?;
            self.done_bytes += entry.body.len() as u64;
            read.added += 1;
            last = Some((entry, record.n));
        }
        if let Some((entry, n)) = last {
            self.ingest.flush()?;
            let state = State { log: self.log.clone(), last: Last::new(&entry, n) };
            state.save(&begun)?;
            begun.commit()?;
            self.state = Some(state);
        }
        Ok(read)
    }
}

/// The records behind the last one indexed.
fn rest(dir: &Path, state: Option<&State>) -> Result<Records, ReviewError> {
    let Some(State { last, .. }) = state else { return Ok(records(dir)?) };
    let mut rest = records_from(dir, &last.file, last.at)?;
    rest.next();
    Ok(rest)
}

/// How much there is to read: an upper bound, for a progress bar.
fn bytes_behind(dir: &Path, last: Option<&Last>) -> Result<u64, ReviewError> {
    let mut bytes = 0;
    for entry in dir.read_dir().map_err(ReviewError::io("list", dir))? {
        let entry = entry.map_err(ReviewError::io("list", dir))?;
        let name = entry.file_name();
        let length = entry.metadata().map_err(ReviewError::io("look at", entry.path()))?.len();
        match last {
            Some(last) if *name < *last.file.as_str() => {}
            Some(last) if *name == *last.file.as_str() => bytes += length.saturating_sub(last.at),
            _ => bytes += length,
        }
    }
    Ok(bytes)
}

const BATCH_RECORDS: u64 = 20_000;
/// As long as a verification waits for a write under way.
const PATIENCE_POLLS: u32 = 5;
const POLL: Duration = Duration::from_millis(100);
