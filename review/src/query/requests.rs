//! Requests one by one.

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};
use sealgate_audit::{Mode, Verdict};
use serde::Serialize;

use super::filter::{Filter, Source};
use crate::error::ReviewError;
use crate::index::Index;

/// One request as the index has it. What the log has of it is its [story](crate::story).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// The running number of its decision in the log.
    pub n: u64,
    /// When it was decided, in microseconds of Unix time.
    pub time_us: u64,
    /// The gateway's id of it.
    pub request_id: String,
    /// Who asked.
    pub caller: Caller,
    /// The caller's network.
    pub address: String,
    /// What was asked for.
    pub action: String,
    /// The model as the caller named it.
    pub model: String,
    /// The version, if one was named.
    pub model_version: Option<String>,
    /// Who sealed.
    pub mode: Mode,
    /// The protocol the caller spoke.
    pub protocol: String,
    /// The decision.
    pub verdict: Verdict,
    /// The reason of a denial; of what was allowed the result, or `allowed` while there is none.
    pub code: String,
    /// Ids of the rules that decided.
    pub rules: Vec<String>,
    /// SHA-256 of the policies, in hex.
    pub policy_digest: String,
    /// The limits that applied.
    pub limit_profile: String,
    /// How much of an answer could leave the worker.
    pub release_profile: String,
    /// How many rows were taken from the caller's allowance.
    pub rows_reserved: u32,
    /// The HTTP status of the answer, once there is an outcome.
    pub status: Option<u16>,
    /// Rows the worker says it scored, once there is an outcome.
    pub rows: Option<u32>,
    /// How long it took, in microseconds.
    pub total_us: Option<u32>,
    /// SHA-256 of the file of the model that answered, or was to, in hex.
    pub model_digest: Option<String>,
}

/// Who asked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Caller {
    /// Whom the token speaks of.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// The program that asked.
    pub client_id: Option<String>,
    /// Whose data and allowance this is.
    pub tenant: String,
}

/// Which part of the requests is wanted. A page is found by where the one before ended, so the
/// thousandth costs what the first does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Page {
    /// In which order.
    pub order: Order,
    /// Only requests behind this one, in that order.
    pub behind: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { order: Order::NewestFirst, behind: None, limit: 50 }
    }
}

/// In which order requests come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// As they stand in the log.
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

impl Index {
    /// The requests that are meant, at most a page of them.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn requests(&self, filter: &Filter, page: &Page) -> Result<Vec<Request>, ReviewError> {
        let mut conditions = filter.conditions(Source::Requests);
        let (sign, direction) = match page.order {
            Order::OldestFirst => (">", "ASC"),
            Order::NewestFirst => ("<", "DESC"),
        };
        if let Some(behind) = page.behind {
            let behind = Value::from(i64::try_from(behind).unwrap_or(i64::MAX));
            conditions.add(&format!("n {sign} ?"), [behind]);
        }
        let (sql, values) = conditions.into_parts();
        let limit = page.limit;
        let sql = format!("{SELECT} WHERE {sql} ORDER BY n {direction} LIMIT {limit}");
        let mut statement = self.connection().prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(values), read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Request> {
    let rules: String = row.get(15)?;
    Ok(Request {
        n: row.get(0)?,
        time_us: row.get(1)?,
        request_id: shown_id(row.get(2)?),
        caller: Caller {
            subject: row.get(3)?,
            issuer: row.get(4)?,
            client_id: row.get(5)?,
            tenant: row.get(6)?,
        },
        address: row.get(7)?,
        action: row.get(8)?,
        model: row.get(9)?,
        model_version: row.get(10)?,
        mode: if row.get(11)? { Mode::ClientSealed } else { Mode::GatewaySealed },
        protocol: row.get(12)?,
        verdict: if row.get(13)? { Verdict::Allow } else { Verdict::Deny },
        code: row.get(14)?,
        // The index wrote them itself.
        rules: serde_json::from_str(&rules).unwrap_or_default(),
        policy_digest: row.get(16)?,
        limit_profile: row.get(17)?,
        release_profile: row.get(18)?,
        rows_reserved: row.get(19)?,
        status: row.get(20)?,
        rows: row.get(21)?,
        total_us: row.get(22)?,
        model_digest: row.get(23)?,
    })
}

/// A request id as people read it.
pub(super) fn shown_id(stored: Value) -> String {
    match stored {
        Value::Blob(bytes) => hex::encode(bytes),
        Value::Text(text) => text,
        _ => String::new(),
    }
}

const SELECT: &str = "
SELECT n, time_us, request_id,
    (SELECT text FROM texts WHERE id = c.subject), (SELECT text FROM texts WHERE id = c.issuer),
    (SELECT text FROM texts WHERE id = c.client), (SELECT text FROM texts WHERE id = c.tenant),
    (SELECT text FROM texts WHERE id = address), (SELECT text FROM texts WHERE id = action),
    (SELECT text FROM texts WHERE id = model), (SELECT text FROM texts WHERE id = version),
    mode, (SELECT text FROM texts WHERE id = protocol),
    verdict, (SELECT text FROM texts WHERE id = code),
    (SELECT words FROM rule_sets WHERE id = rules),
    (SELECT text FROM texts WHERE id = policy), (SELECT text FROM texts WHERE id = limit_profile),
    (SELECT text FROM texts WHERE id = release_profile), rows_reserved,
    status, rows, total_us, (SELECT text FROM texts WHERE id = model_digest)
FROM requests JOIN callers c ON c.id = caller";
