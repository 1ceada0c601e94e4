//! Which requests are meant.

use rusqlite::types::Value;
use sealgate_audit::{Mode, Text, Verdict};

use crate::index::{HOUR_US, stored_id};

/// Which requests are meant: those for which all that is given holds. Nothing given is all.
///
/// Texts are compared whole and letter by letter, `search` by how they begin.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// Decided then or later, in microseconds of Unix time.
    pub since_us: Option<u64>,
    /// Decided earlier than then, in microseconds of Unix time.
    pub until_us: Option<u64>,
    /// The caller's subject.
    pub subject: Option<String>,
    /// Who issued the caller's token.
    pub issuer: Option<String>,
    /// The program that asked.
    pub client_id: Option<String>,
    /// Whose data and allowance it was.
    pub tenant: Option<String>,
    /// The model as the caller named it.
    pub model: Option<String>,
    /// What was asked for.
    pub action: Option<String>,
    /// One of the rules that decided.
    pub rule: Option<String>,
    /// Allowed or denied.
    pub verdict: Option<Verdict>,
    /// The reason of a denial, or the result of what was allowed.
    pub code: Option<String>,
    /// The HTTP status of the answer to what was allowed.
    pub status: Option<u16>,
    /// Who sealed.
    pub mode: Option<Mode>,
    /// The gateway's id of the request.
    pub request_id: Option<String>,
    /// How the request's id, its caller's subject, client or tenant, its model or its code begins.
    pub search: Option<String>,
}

/// Where numbers are taken from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// One row per request.
    Requests,
    /// Counts per hour, without callers.
    ByHour,
    /// Counts per day, with callers.
    ByDay,
}

impl Filter {
    /// Whether the roll-ups of this size (in hours) know all that is asked for.
    pub(super) fn fits(&self, source: Source) -> bool {
        let (Source::ByHour | Source::ByDay) = source else { return true };
        let unit_us = if source == Source::ByDay { 24 * HOUR_US } else { HOUR_US };
        let whole = |time: Option<u64>| time.is_none_or(|us| us.is_multiple_of(unit_us));
        let per_request =
            self.status.is_some() || self.request_id.is_some() || self.search.is_some();
        let callers = self.subject.is_some() || self.issuer.is_some() || self.client_id.is_some();
        !per_request
            && whole(self.since_us)
            && whole(self.until_us)
            && (source == Source::ByDay || !callers)
    }

    /// The condition on rows of `source`.
    pub(super) fn conditions(&self, source: Source) -> Conditions {
        let mut conditions = Conditions::default();
        self.time(source, &mut conditions);
        self.caller(source, &mut conditions);
        for (column, text) in
            [("model", &self.model), ("action", &self.action), ("code", &self.code)]
        {
            if let Some(text) = text {
                conditions.add(&format!("{column} = {TEXT_ID}"), [Value::from(text.clone())]);
            }
        }
        if let Some(rule) = &self.rule {
            let sets = format!("rules IN (SELECT rules FROM rule_members WHERE rule = {TEXT_ID})");
            conditions.add(&sets, [Value::from(rule.clone())]);
        }
        if let Some(verdict) = self.verdict {
            conditions.add("verdict = ?", [Value::from(i64::from(verdict == Verdict::Allow))]);
        }
        if let Some(mode) = self.mode {
            conditions.add("mode = ?", [Value::from(i64::from(mode == Mode::ClientSealed))]);
        }
        if let Some(status) = self.status {
            conditions.add("status = ?", [Value::from(i64::from(status))]);
        }
        if let Some(id) = &self.request_id {
            conditions.add("request_id = ?", [stored_id(&Text::from(id.as_str()))]);
        }
        if let Some(prefix) = &self.search {
            search(prefix, &mut conditions);
        }
        conditions
    }

    fn time(&self, source: Source, conditions: &mut Conditions) {
        let integer = |us: u64| Value::from(i64::try_from(us).unwrap_or(i64::MAX));
        for (bound, sign) in [(self.since_us, ">="), (self.until_us, "<")] {
            let Some(us) = bound else { continue };
            match source {
                Source::ByHour => {
                    conditions.add(&format!("hour {sign} ?"), [integer(us / HOUR_US)])
                }
                Source::ByDay => {
                    conditions.add(&format!("day {sign} ?"), [integer(us / (24 * HOUR_US))]);
                }
                Source::Requests => {
                    conditions.add(&format!("time_us {sign} ?"), [integer(us)]);
                    // The rows lie in the order of the log: this says where to look.
                    let place = match sign {
                        ">=" => "n >= (SELECT min(first_n) FROM hours WHERE hour >= ?)",
                        _ => "n <= (SELECT max(last_n) FROM hours WHERE hour <= ?)",
                    };
                    conditions.add(place, [integer(us / HOUR_US)]);
                }
            }
        }
    }

    fn caller(&self, source: Source, conditions: &mut Conditions) {
        let columns = [
            ("tenant", &self.tenant),
            ("subject", &self.subject),
            ("issuer", &self.issuer),
            ("client", &self.client_id),
        ];
        let mut callers = Conditions::default();
        for (column, text) in columns {
            if let Some(text) = text {
                callers.add(&format!("{column} = {TEXT_ID}"), [Value::from(text.clone())]);
            }
        }
        if callers.values.is_empty() {
            return;
        }
        match source {
            Source::ByHour => conditions.add(&callers.sql, callers.values),
            _ => {
                let among = format!("caller IN (SELECT id FROM callers WHERE {})", callers.sql);
                conditions.add(&among, callers.values);
            }
        }
    }
}

/// Conditions on text columns go by the dictionary, which is small; the id of a request stands in
/// its row.
fn search(prefix: &str, conditions: &mut Conditions) {
    const TEXTS: &str = "(SELECT id FROM texts WHERE text >= ? AND text < ?)";
    let bounds = [Value::from(prefix.to_owned()), Value::from(format!("{prefix}\u{10ffff}"))];
    let mut values = Vec::new();
    let mut any = |column: &str| {
        values.extend(bounds.clone());
        format!("{column} IN {TEXTS}")
    };
    let callers = ["subject", "client", "tenant"].map(&mut any).join(" OR ");
    let others = ["model", "code"].map(&mut any).join(" OR ");
    let mut sql = format!("(caller IN (SELECT id FROM callers WHERE {callers}) OR {others}");
    if let Some(ids) = ids_beginning(prefix) {
        sql.push_str(" OR request_id BETWEEN ? AND ?");
        values.extend(ids);
    }
    sql.push(')');
    conditions.add(&sql, values);
}

/// The first and the last id that begins so.
fn ids_beginning(prefix: &str) -> Option<[Value; 2]> {
    let bound = |fill: &str| {
        let missing = 32_usize.checked_sub(prefix.len())?;
        let id = format!("{}{}", prefix.to_ascii_lowercase(), fill.repeat(missing));
        hex::decode(id).ok().map(Value::Blob)
    };
    Some([bound("0")?, bound("f")?])
}

/// A condition in SQL and the values for its question marks.
#[derive(Default)]
pub(super) struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds one that must hold, too. `sql` is ours, `values` may be anybody's.
    pub(super) fn add(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        if !self.sql.is_empty() {
            self.sql.push_str(" AND ");
        }
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    /// The condition, and its values.
    pub(super) fn into_parts(self) -> (String, Vec<Value>) {
        let sql = if self.sql.is_empty() { "TRUE".to_owned() } else { self.sql };
        (sql, self.values)
    }
}

const TEXT_ID: &str = "(SELECT id FROM texts WHERE text = ?)";
