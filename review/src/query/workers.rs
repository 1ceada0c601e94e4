//! How long workers were there, at work or not.

use std::collections::{BTreeMap, HashMap};

use rusqlite::params;
use sealgate_audit::{Event, Text};

use crate::error::ReviewError;
use crate::index::Index;
use crate::story::read_at;

/// How long a model's workers were kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkerTime {
    /// The model.
    pub model: String,
    /// How many there were.
    pub workers: u64,
    /// Microseconds, of all of them together.
    pub alive_us: u64,
}

impl Index {
    /// How long the workers of each model were there from `since_us` to `until_us`, in microseconds
    /// of Unix time. One without an end on record ended with its gateway, or is still there at the
    /// newest record.
    ///
    /// # Errors
    /// When the index does not answer, or the log does not hold what it says.
    pub fn worker_times(
        &self,
        since_us: u64,
        until_us: u64,
    ) -> Result<Vec<WorkerTime>, ReviewError> {
        let mut lives = Lives { since_us, until_us, alive: HashMap::new(), times: BTreeMap::new() };
        let mut statement = self.connection().prepare(EVENTS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (n, file, time_us): (u64, String, u64) = (row.get(0)?, row.get(1)?, row.get(3)?);
            match read_at(self.dir(), n, &file, row.get(2)?)?.record.event {
                Event::WorkerStarted(started) => {
                    lives.alive.insert(started.keyset_digest, (started.model, time_us));
                }
                Event::WorkerEnded(ended) => lives.end(&ended.keyset_digest, time_us),
                // The gateway's workers die with it, whether it could say so or not.
                Event::Started(_) => lives.end_all(self.newest_before(n)?),
                _ => {}
            }
        }
        lives.end_all(self.newest_before(u64::MAX)?);
        let times = lives.times.into_iter();
        let time = |(model, (workers, alive_us)): (Text, _)| WorkerTime {
            model: model.to_string(),
            workers,
            alive_us,
        };
        Ok(times.map(time).collect())
    }

    /// The time of the last record of before `n`.
    fn newest_before(&self, n: u64) -> Result<u64, ReviewError> {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let newest: Option<u64> =
            self.connection().query_row(NEWEST, params![n], |row| row.get(0))?;
        Ok(newest.unwrap_or(0))
    }
}

struct Lives {
    since_us: u64,
    until_us: u64,
    alive: HashMap<Text, (Text, u64)>,
    times: BTreeMap<Text, (u64, u64)>,
}

impl Lives {
    fn end(&mut self, keyset: &Text, time_us: u64) {
        if let Some((model, began_us)) = self.alive.remove(keyset) {
            self.add(model, began_us, time_us);
        }
    }

    fn end_all(&mut self, time_us: u64) {
        for (model, began_us) in std::mem::take(&mut self.alive).into_values() {
            self.add(model, began_us, time_us);
        }
    }

    /// Adds what of a life lies within the time that is asked about.
    fn add(&mut self, model: Text, began_us: u64, ended_us: u64) {
        let (begin, end) = (began_us.max(self.since_us), ended_us.min(self.until_us));
        if end > begin {
            let (workers, alive_us) = self.times.entry(model).or_default();
            *workers += 1;
            *alive_us += end - begin;
        }
    }
}

const EVENTS: &str = "
SELECT n, (SELECT text FROM texts WHERE id = file), at, time_us
FROM events
WHERE kind IN (SELECT id FROM texts WHERE text IN ('worker_started', 'worker_ended', 'started'))
ORDER BY n";
const NEWEST: &str = "
SELECT max(time_us) FROM (
    SELECT * FROM (SELECT time_us FROM requests WHERE n < ?1 ORDER BY n DESC LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT time_us FROM events WHERE n < ?1 ORDER BY n DESC LIMIT 1)
)";
