//! How much there was, told apart by what one likes.

use std::str::FromStr;

use rusqlite::{Row, params_from_iter};
use serde::Serialize;

use super::filter::{Filter, Source};
use crate::error::ReviewError;
use crate::index::{HOUR_US, Index};
use crate::moment::{day, instant};

/// What totals can be told apart by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dimension {
    /// The caller's tenant.
    Tenant,
    /// The caller's subject.
    Caller,
    /// Who issued the caller's token.
    Issuer,
    /// The program that asked.
    Client,
    /// The model.
    Model,
    /// What was asked for.
    Action,
    /// Allowed or denied.
    Verdict,
    /// The reason or the result.
    Code,
    /// Each rule that decided: a request with several counts for each of them.
    Rule,
    /// The day, in UTC.
    Day,
    /// The hour, in UTC.
    Hour,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Tenant,
        Self::Caller,
        Self::Issuer,
        Self::Client,
        Self::Model,
        Self::Action,
        Self::Verdict,
        Self::Code,
        Self::Rule,
        Self::Day,
        Self::Hour,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Caller => "caller",
            Self::Issuer => "issuer",
            Self::Client => "client",
            Self::Model => "model",
            Self::Action => "action",
            Self::Verdict => "verdict",
            Self::Code => "code",
            Self::Rule => "rule",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    const fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Hour)
    }

    /// The column to group by, and where it is a number of the dictionary.
    const fn column(self, source: Source) -> (&'static str, bool) {
        match (self, source) {
            (Self::Tenant, Source::ByHour) => ("tenant", true),
            (Self::Tenant, _) => ("c.tenant", true),
            (Self::Caller, _) => ("c.subject", true),
            (Self::Issuer, _) => ("c.issuer", true),
            (Self::Client, _) => ("c.client", true),
            (Self::Model, _) => ("model", true),
            (Self::Action, _) => ("action", true),
            (Self::Code, _) => ("code", true),
            (Self::Rule, _) => ("m.rule", true),
            (Self::Verdict, _) => ("verdict", false),
            (Self::Day, Source::ByDay) => ("day", false),
            (Self::Day, Source::ByHour) => ("hour / 24", false),
            (Self::Day, Source::Requests) => ("time_us / 86400000000", false),
            (Self::Hour, Source::ByHour) => ("hour", false),
            (Self::Hour, _) => ("time_us / 3600000000", false),
        }
    }

    /// A number that is not the dictionary's, in words.
    fn word(self, number: u64) -> String {
        match self {
            Self::Verdict if number == 0 => "deny".to_owned(),
            Self::Verdict => "allow".to_owned(),
            Self::Day => day(number.saturating_mul(24 * HOUR_US)),
            _ => instant(number.saturating_mul(HOUR_US)).replace(":00.000Z", "Z"),
        }
    }
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|dimension| dimension.as_str() == name);
        known.ok_or_else(|| format!("one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// Requests that are alike in what was asked for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Total {
    /// What they have in common, in the order of the dimensions; empty where there is none.
    pub key: Vec<String>,
    /// How many there are.
    pub requests: u64,
    /// How many of them were denied.
    pub denied: u64,
    /// Rows scored.
    pub rows: u64,
    /// Of how many it is known how long they took.
    pub timed: u64,
    /// How long those took together, in microseconds.
    pub total_us: u64,
}

impl Total {
    /// How long one took on average, in microseconds.
    #[must_use]
    pub const fn mean_us(&self) -> Option<u64> {
        self.total_us.checked_div(self.timed)
    }
}

impl Index {
    /// Totals of the requests that are meant: in the order of time if the first dimension is one,
    /// else the greatest first. At most `limit` of them. Without dimensions there is one total.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn totals(
        &self,
        filter: &Filter,
        by: &[Dimension],
        limit: u32,
    ) -> Result<Vec<Total>, ReviewError> {
        let source = source(filter, by);
        let (sql, values) = query(filter, by, limit, source);
        let mut statement = self.connection().prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| read(row, by))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The smallest table that knows all that is asked for.
fn source(filter: &Filter, by: &[Dimension]) -> Source {
    let callers = [Dimension::Caller, Dimension::Issuer, Dimension::Client];
    let hours_know = !by.iter().any(|dimension| callers.contains(dimension));
    let days_know = !by.contains(&Dimension::Hour);
    if hours_know && filter.fits(Source::ByHour) {
        Source::ByHour
    } else if days_know && filter.fits(Source::ByDay) {
        Source::ByDay
    } else {
        Source::Requests
    }
}

fn query(
    filter: &Filter,
    by: &[Dimension],
    limit: u32,
    source: Source,
) -> (String, Vec<rusqlite::types::Value>) {
    let (table, sums) = match source {
        Source::Requests => ("requests", OF_ROWS),
        Source::ByHour => ("by_hour", OF_SUMS),
        Source::ByDay => ("by_day", OF_SUMS),
    };
    let (conditions, values) = filter.conditions(source).into_parts();
    let mut joins = String::new();
    let columns: Vec<_> = by.iter().map(|dimension| dimension.column(source).0).collect();
    if columns.iter().any(|column| column.starts_with("c.")) {
        joins.push_str(" JOIN callers c ON c.id = caller");
    }
    if by.contains(&Dimension::Rule) {
        joins.push_str(" LEFT JOIN rule_members m USING (rules)");
    }
    let keys: String =
        columns.iter().enumerate().map(|(i, column)| format!("{column} AS k{i}, ")).collect();
    let words: String = by
        .iter()
        .enumerate()
        .map(|(i, dimension)| match dimension.column(source).1 {
            true => format!("(SELECT text FROM texts WHERE id = k{i}), "),
            false => format!("k{i}, "),
        })
        .collect();
    let names: Vec<_> = (0..by.len()).map(|i| format!("k{i}")).collect();
    let group =
        if by.is_empty() { String::new() } else { format!("GROUP BY {}", names.join(", ")) };
    // By the words, which stand first.
    let mut order: Vec<_> = (1..=by.len()).map(|column| column.to_string()).collect();
    let first_is_time = by.first().is_some_and(|dimension| dimension.is_time());
    order.insert(if first_is_time { 1 } else { 0 }, "requests DESC".to_owned());
    let order = order.join(", ");
    let sql = format!(
        "SELECT {words} requests, denied, rows, timed, total_us FROM (
             SELECT {keys} {sums} FROM {table}{joins} WHERE {conditions} {group}
         ) ORDER BY {order} LIMIT {limit}"
    );
    (sql, values)
}

fn read(row: &Row<'_>, by: &[Dimension]) -> rusqlite::Result<Total> {
    let mut key = Vec::with_capacity(by.len());
    for (i, dimension) in by.iter().enumerate() {
        key.push(match dimension.column(Source::Requests).1 {
            true => row.get::<_, Option<String>>(i)?.unwrap_or_default(),
            false => dimension.word(row.get(i)?),
        });
    }
    let at = by.len();
    Ok(Total {
        key,
        requests: row.get(at)?,
        denied: row.get(at + 1)?,
        rows: row.get(at + 2)?,
        timed: row.get(at + 3)?,
        total_us: row.get(at + 4)?,
    })
}

const OF_ROWS: &str = "
count(*) AS requests, ifnull(sum(verdict = 0), 0) AS denied, ifnull(sum(rows), 0) AS rows,
count(total_us) AS timed, ifnull(sum(total_us), 0) AS total_us";
const OF_SUMS: &str = "
ifnull(sum(requests), 0) AS requests,
ifnull(sum(CASE verdict WHEN 0 THEN requests ELSE 0 END), 0) AS denied,
ifnull(sum(rows), 0) AS rows, ifnull(sum(timed), 0) AS timed, ifnull(sum(total_us), 0) AS total_us";
