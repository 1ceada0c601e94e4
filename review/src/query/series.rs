//! How much there was over time.

use rusqlite::params_from_iter;

use super::filter::{Filter, Source};
use crate::error::ReviewError;
use crate::index::{HOUR_US, Index};

/// Requests to one model in one span of time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Point {
    /// When the span begins, in hours of Unix time; a multiple of the step.
    pub hour: u64,
    /// The model as callers named it.
    pub model: String,
    /// How many requests there were.
    pub requests: u64,
    /// How many of them were denied.
    pub denied: u64,
}

impl Index {
    /// Requests by model in spans of `step_hours`, in the order of time. Of the filter's times whole
    /// hours count, and of the rest what the counts per hour know: not the caller.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn series(&self, filter: &Filter, step_hours: u64) -> Result<Vec<Point>, ReviewError> {
        let (conditions, values) = filter.conditions(Source::ByHour).into_parts();
        let step = step_hours.max(1);
        let sql = format!(
            "SELECT hour / {step} * {step} AS span, (SELECT text FROM texts WHERE id = model),
                 sum(requests), sum(CASE verdict WHEN 0 THEN requests ELSE 0 END)
             FROM by_hour WHERE {conditions} GROUP BY span, model ORDER BY span"
        );
        let mut statement = self.connection().prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| {
            Ok(Point {
                hour: row.get(0)?,
                model: row.get(1)?,
                requests: row.get(2)?,
                denied: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// When the first and the last hour begin that have requests, in microseconds of Unix time.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn span_us(&self) -> Result<Option<(u64, u64)>, ReviewError> {
        let span = "SELECT min(hour), max(hour) FROM hours";
        let (first, last): (Option<u64>, Option<u64>) =
            self.connection().query_row(span, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(first.zip(last).map(|(first, last)| (first * HOUR_US, last * HOUR_US)))
    }
}
