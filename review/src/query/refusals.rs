//! What was refused before anyone was authenticated.

use serde::Serialize;

use super::filter::Filter;
use crate::error::ReviewError;
use crate::index::Index;

/// Refusals for one reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RefusalCount {
    /// The stable reason code.
    pub reason: String,
    /// How many there were.
    pub count: u64,
}

impl Index {
    /// Refusals of unknown callers by reason, the most frequent first. Of the filter only the time
    /// counts: nothing else is known of them.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn refusals(&self, filter: &Filter) -> Result<Vec<RefusalCount>, ReviewError> {
        let second = |us: Option<u64>, otherwise: u64| us.map_or(otherwise, |us| us / 1_000_000);
        let bounds = [second(filter.since_us, 0), second(filter.until_us, i64::MAX as u64)];
        let mut statement = self.connection().prepare(SELECT)?;
        let rows = statement.query_map(bounds, |row| {
            Ok(RefusalCount { reason: row.get(0)?, count: row.get(1)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

const SELECT: &str = "
SELECT (SELECT text FROM texts WHERE id = reason), sum(count) AS count FROM refusals
WHERE second >= ?1 AND second < ?2 GROUP BY reason ORDER BY count DESC, reason";
