//! Records become rows.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Statement, params};
use sealgate_audit::{
    Decision, Entry, Event, Mode, Outcome, Record, Refused, Text, Usage, Verdict,
};

use super::names::Names;
use super::schema::REQUEST_LOOKUP;
use super::tally::{Group, Sums, Tally, Used};

/// Writes records into the tables, in the order of the log.
pub(super) struct Ingest<'c> {
    connection: &'c Connection,
    names: Names<'c>,
    tally: Tally,
    /// Requests that were allowed and whose outcome has not come.
    open: HashMap<Text, Open>,
    /// Whether others of them can be found in the table.
    has_lookup: bool,
    policy: Option<Text>,
    add_request: Statement<'c>,
    add_outcome: Statement<'c>,
    add_event: Statement<'c>,
    add_refusal: Statement<'c>,
    add_policy: Statement<'c>,
}

struct Open {
    n: u64,
    group: Group,
    /// What was reserved for it, in 10^-12 of the currency.
    reserved: Option<u64>,
}

/// Where a record stands, as a row names it.
struct Place {
    n: u64,
    file: i64,
    at: u64,
    time_us: u64,
}

impl<'c> Ingest<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            names: Names::new(connection)?,
            tally: Tally::default(),
            open: HashMap::new(),
            has_lookup: has_lookup(connection)?,
            policy: last_policy(connection)?,
            add_request: connection.prepare(ADD_REQUEST)?,
            add_outcome: connection.prepare(ADD_OUTCOME)?,
            add_event: connection.prepare("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?,
            add_refusal: connection.prepare("INSERT INTO refusals VALUES (?1, ?2, ?3, ?4)")?,
            add_policy: connection
                .prepare("INSERT INTO policy_versions VALUES (?1, ?2, ?3, ?4)")?,
        })
    }

    /// Writes one record.
    pub(super) fn record(&mut self, entry: &Entry, record: &Record) -> rusqlite::Result<()> {
        let file = self.names.word(&entry.file)?;
        let place = Place { n: record.n, file, at: entry.offset, time_us: record.time_us };
        match &record.event {
            Event::Decision(decision) => self.decision(&place, decision),
            Event::Outcome(outcome) => self.outcome(&place, outcome),
            Event::Refused(refused) => self.refused(&place, refused),
            Event::CandidateDiffered(differed) => {
                self.event(&place, &record.event, Some(&differed.request_id))
            }
            Event::Retried(retried) => self.event(&place, &record.event, Some(&retried.request_id)),
            Event::AdminOrder(order) => self.event(&place, &record.event, Some(&order.request_id)),
            Event::Started(started) => {
                self.policy(&place, &started.policy_digest, &"started".into())?;
                self.event(&place, &record.event, None)
            }
            Event::PolicyLoaded(loaded) => {
                self.policy(&place, &loaded.policy_digest, &loaded.why)?;
                self.event(&place, &record.event, None)
            }
            event => self.event(&place, event, None),
        }
    }

    /// Ends a batch: the roll-ups then say the same as the rows.
    pub(super) fn flush(&mut self) -> rusqlite::Result<()> {
        self.tally.flush(self.connection)
    }

    fn decision(&mut self, place: &Place, decision: &Decision) -> rusqlite::Result<()> {
        let (caller, tenant) = self.names.caller(&decision.caller)?;
        let group = Group {
            hour: place.time_us / HOUR_US,
            caller,
            tenant,
            model: self.names.text(&decision.model)?,
            action: self.names.text(&decision.action)?,
            mode: i64::from(decision.mode == Mode::ClientSealed),
            verdict: i64::from(decision.verdict == Verdict::Allow),
            code: self.names.text(&decision.code)?,
            rules: self.names.rules(&decision.rules)?,
        };
        let version = decision.model_version.as_ref();
        let reserved = decision.charge.map(|charge| charge.reserved);
        self.add_request.execute(params![
            place.n,
            place.file,
            place.at,
            place.time_us,
            stored_id(&decision.request_id),
            caller,
            self.names.text(&decision.address)?,
            group.action,
            group.model,
            version.map(|version| self.names.text(version)).transpose()?,
            group.mode,
            self.names.text(&decision.protocol)?,
            group.verdict,
            group.code,
            group.rules,
            self.names.text(&decision.policy_digest)?,
            self.names.text(&decision.limit_profile)?,
            self.names.text(&decision.release_profile)?,
            decision.rows_reserved,
            reserved,
            digest(&mut self.names, decision.model_digest.as_ref())?,
        ])?;
        self.tally.add(group, Sums { requests: 1, ..Sums::default() });
        self.tally.hour(group.hour, place.n);
        if decision.verdict == Verdict::Allow {
            if let Some(reserved) = reserved {
                self.tally.used(&group, Used { charge: reserved.into(), ..Used::default() });
            }
            self.expect_outcome(&decision.request_id, Open { n: place.n, group, reserved })?;
        }
        Ok(())
    }

    /// Remembers a request. When too many are open, the rest is looked up in the table.
    fn expect_outcome(&mut self, request_id: &Text, open: Open) -> rusqlite::Result<()> {
        if self.open.len() >= OPEN_MAX {
            self.connection.execute_batch(REQUEST_LOOKUP)?;
            self.has_lookup = true;
            self.open.clear();
        }
        self.open.insert(request_id.clone(), open);
        Ok(())
    }

    fn outcome(&mut self, place: &Place, outcome: &Outcome) -> rusqlite::Result<()> {
        let open = match self.open.remove(&outcome.request_id) {
            Some(open) => Some(open),
            None if self.has_lookup => find_open(self.connection, &outcome.request_id)?,
            None => None,
        };
        // An outcome without a decision: only a log that was cut at its beginning has one.
        let Some(Open { n, group, reserved }) = open else { return Ok(()) };
        let total_us = outcome.stages_us.get(&Text::from("total")).copied();
        let code = self.names.text(&outcome.code)?;
        self.add_outcome.execute(params![
            n,
            code,
            place.n,
            place.file,
            place.at,
            outcome.status,
            outcome.rows,
            total_us,
            digest(&mut self.names, outcome.model_digest.as_ref())?,
            outcome.usage.and_then(|usage| usage.charge).or(reserved),
        ])?;
        if let Some(usage) = outcome.usage {
            self.tally.used(&group, used(&usage, outcome.rows, reserved));
        }
        self.tally.add(group, Sums { requests: -1, ..Sums::default() });
        let sums = Sums {
            requests: 1,
            rows: outcome.rows.into(),
            timed: i64::from(total_us.is_some()),
            total_us: total_us.unwrap_or_default().into(),
        };
        self.tally.add(Group { code, ..group }, sums);
        Ok(())
    }

    fn refused(&mut self, place: &Place, refused: &Refused) -> rusqlite::Result<()> {
        let reason = self.names.text(&refused.reason)?;
        self.add_refusal.execute(params![place.n, refused.second, reason, refused.count])?;
        Ok(())
    }

    fn event(
        &mut self,
        place: &Place,
        event: &Event,
        request: Option<&Text>,
    ) -> rusqlite::Result<()> {
        let kind = self.names.word(event.kind())?;
        let request = request.map(stored_id);
        self.add_event.execute(params![
            place.n,
            place.file,
            place.at,
            place.time_us,
            kind,
            request
        ])?;
        Ok(())
    }

    /// Policies that come into force; a restart on the same ones changes nothing.
    fn policy(&mut self, place: &Place, digest: &Text, why: &Text) -> rusqlite::Result<()> {
        if self.policy.as_ref() != Some(digest) {
            let (policy, why) = (self.names.text(digest)?, self.names.text(why)?);
            self.add_policy.execute(params![place.n, place.time_us, policy, why])?;
            self.policy = Some(digest.clone());
        }
        Ok(())
    }
}

fn digest(names: &mut Names<'_>, digest: Option<&Text>) -> rusqlite::Result<Option<i64>> {
    digest.map(|digest| names.text(digest)).transpose()
}

/// What a request used. Its charge takes the place of what was reserved.
fn used(usage: &Usage, rows: u32, reserved: Option<u64>) -> Used {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let charge = usage.charge.map(i128::from);
    let reserved = i128::from(reserved.unwrap_or_default());
    Used {
        requests: i64::from(usage.bytes_in > 0),
        rows: rows.into(),
        busy_us: usage.busy_us.into(),
        mb_us: i64::from(usage.busy_us).saturating_mul(usage.memory_mb.into()),
        bytes_in: whole(usage.bytes_in),
        bytes_out: whole(usage.bytes_out),
        charge: charge.map_or(0, |charge| charge - reserved),
    }
}

/// A request id as it is stored: the gateway's are 128 bits in hex, and take half the room so.
pub(crate) fn stored_id(id: &Text) -> Value {
    match hex::decode(id.as_str()) {
        // Only what reads back as it was may be stored in another form.
        Ok(bytes) if bytes.len() == 16 && hex::encode(&bytes) == id.as_str() => Value::Blob(bytes),
        _ => Value::Text(id.to_string()),
    }
}

fn has_lookup(connection: &Connection) -> rusqlite::Result<bool> {
    let found = "SELECT 1 FROM sqlite_schema WHERE name = 'requests_by_id'";
    Ok(connection.query_row(found, [], |_| Ok(())).optional()?.is_some())
}

fn last_policy(connection: &Connection) -> rusqlite::Result<Option<Text>> {
    let last = "SELECT text FROM policy_versions JOIN texts ON id = policy ORDER BY n DESC LIMIT 1";
    let digest = connection.query_row(last, [], |row| row.get::<_, String>(0)).optional()?;
    Ok(digest.map(Text::from))
}

fn find_open(connection: &Connection, request_id: &Text) -> rusqlite::Result<Option<Open>> {
    let mut find = connection.prepare(FIND_OPEN)?;
    find.query_row([stored_id(request_id)], |row| {
        let time_us: u64 = row.get(1)?;
        let group = Group {
            hour: time_us / HOUR_US,
            caller: row.get(2)?,
            tenant: row.get(3)?,
            model: row.get(4)?,
            action: row.get(5)?,
            mode: row.get(6)?,
            verdict: row.get(7)?,
            code: row.get(8)?,
            rules: row.get(9)?,
        };
        Ok(Open { n: row.get(0)?, group, reserved: row.get(10)? })
    })
    .optional()
}

const ADD_REQUEST: &str = "
INSERT INTO requests (n, file, at, time_us, request_id, caller, address, action, model, version,
    mode, protocol, verdict, code, rules, policy, limit_profile, release_profile, rows_reserved,
    charge, model_digest)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)";
const ADD_OUTCOME: &str = "
UPDATE requests SET code = ?2, outcome_n = ?3, outcome_file = ?4, outcome_at = ?5,
    status = ?6, rows = ?7, total_us = ?8, model_digest = coalesce(?9, model_digest), charge = ?10
WHERE n = ?1";
const FIND_OPEN: &str = "
SELECT n, time_us, caller, tenant, model, action, mode, verdict, code, rules, charge
FROM requests JOIN callers ON id = caller
WHERE request_id = ?1 AND verdict = 1 AND outcome_n IS NULL ORDER BY n DESC LIMIT 1";
/// Open requests that are remembered: about 40 MB.
const OPEN_MAX: usize = 262_144;
/// Microseconds of an hour.
pub(crate) const HOUR_US: u64 = 3_600_000_000;
