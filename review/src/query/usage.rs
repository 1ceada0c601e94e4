//! What was used of workers, and what it cost.

use std::str::FromStr;

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::filter::{Conditions, Filter};
use crate::error::ReviewError;
use crate::index::{HOUR_US, Index};
use crate::moment::{day, instant};

/// What usage can be told apart by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UsageBy {
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
    /// The day, in UTC.
    Day,
    /// The hour, in UTC.
    Hour,
}

/// What was used, and what it cost.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Used {
    /// What it is of, in the order of the dimensions; empty where there is none.
    pub key: Vec<String>,
    /// Requests that a worker answered.
    pub requests: u64,
    /// Rows scored.
    pub rows: u64,
    /// Microseconds that workers were busy.
    pub busy_us: u64,
    /// The same, times the MiB accounted for those workers.
    pub mb_us: u64,
    /// Bytes that went to workers, as they were padded.
    pub bytes_in: u64,
    /// Bytes that came from workers, as they were padded.
    pub bytes_out: u64,
    /// What is charged, in 10^-12 of the currency: also what was reserved for requests without an
    /// outcome.
    pub picos: u128,
}

impl UsageBy {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Tenant,
        Self::Caller,
        Self::Issuer,
        Self::Client,
        Self::Model,
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
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Tenant => "c.tenant",
            Self::Caller => "c.subject",
            Self::Issuer => "c.issuer",
            Self::Client => "c.client",
            Self::Model => "u.model",
            Self::Day => "u.hour / 24",
            Self::Hour => "u.hour",
        }
    }

    const fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Hour)
    }

    fn word(self, number: u64) -> String {
        match self {
            Self::Day => day(number.saturating_mul(24 * HOUR_US)),
            _ => instant(number.saturating_mul(HOUR_US)).replace(":00.000Z", "Z"),
        }
    }
}

impl FromStr for UsageBy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|by| by.as_str() == name);
        known.ok_or_else(|| format!("one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl Index {
    /// What was used by the callers and of the models that are meant, in whole hours that `since`
    /// and `until` touch; what else a filter names does not count. In the order of the keys; without
    /// dimensions there is one sum.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn used(&self, filter: &Filter, by: &[UsageBy]) -> Result<Vec<Used>, ReviewError> {
        let (conditions, values) = conditions(filter).into_parts();
        let keys: String =
            by.iter().enumerate().map(|(i, by)| format!("{} AS k{i}, ", by.column())).collect();
        let words: String = by
            .iter()
            .enumerate()
            .map(|(i, by)| match by.is_time() {
                true => format!("k{i}, "),
                false => format!("(SELECT text FROM texts WHERE id = k{i}), "),
            })
            .collect();
        let group: Vec<_> = (0..by.len()).map(|i| format!("k{i}")).collect();
        let group = match by {
            [] => String::new(),
            _ => format!("GROUP BY {}", group.join(", ")),
        };
        let places: Vec<_> = (1..=by.len()).map(|place| place.to_string()).collect();
        let order = match by {
            [] => String::new(),
            _ => format!("ORDER BY {}", places.join(", ")),
        };
        let sql = format!(
            "SELECT {words} requests, rows, busy_us, mb_us, bytes_in, bytes_out, micros, picos
             FROM (SELECT {keys} {SUMS} FROM used u JOIN callers c ON c.id = u.caller
                   WHERE {conditions} {group})
             {order}"
        );
        let mut statement = self.connection().prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(values), |row| read(row, by))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn conditions(filter: &Filter) -> Conditions {
    let mut conditions = Conditions::default();
    let whole = |hour: u64| Value::from(i64::try_from(hour).unwrap_or(i64::MAX));
    if let Some(since) = filter.since_us {
        conditions.add("u.hour >= ?", [whole(since / HOUR_US)]);
    }
    if let Some(until) = filter.until_us {
        conditions.add("u.hour < ?", [whole(until.div_ceil(HOUR_US))]);
    }
    for (column, text) in [
        ("c.tenant", &filter.tenant),
        ("c.subject", &filter.subject),
        ("c.issuer", &filter.issuer),
        ("c.client", &filter.client_id),
        ("u.model", &filter.model),
    ] {
        if let Some(text) = text {
            let is = format!("{column} = (SELECT id FROM texts WHERE text = ?)");
            conditions.add(&is, [Value::from(text.clone())]);
        }
    }
    conditions
}

fn read(row: &Row<'_>, by: &[UsageBy]) -> rusqlite::Result<Used> {
    let mut key = Vec::with_capacity(by.len());
    for (i, by) in by.iter().enumerate() {
        key.push(match by.is_time() {
            true => by.word(row.get(i)?),
            false => row.get::<_, Option<String>>(i)?.unwrap_or_default(),
        });
    }
    let number = |i: usize| row.get::<_, u64>(by.len() + i);
    let micros: i64 = row.get(by.len() + 6)?;
    let picos = i128::from(micros) * 1_000_000 + i128::from(number(7)?);
    Ok(Used {
        key,
        requests: number(0)?,
        rows: number(1)?,
        busy_us: number(2)?,
        mb_us: number(3)?,
        bytes_in: number(4)?,
        bytes_out: number(5)?,
        picos: u128::try_from(picos).unwrap_or(0),
    })
}

const SUMS: &str = "
ifnull(sum(requests), 0) AS requests, ifnull(sum(rows), 0) AS rows,
ifnull(sum(busy_us), 0) AS busy_us, ifnull(sum(mb_us), 0) AS mb_us,
ifnull(sum(bytes_in), 0) AS bytes_in, ifnull(sum(bytes_out), 0) AS bytes_out,
ifnull(sum(micros), 0) AS micros, ifnull(sum(picos), 0) AS picos";
