//! Roll-ups: what a batch adds to the counts per hour and per day.

use std::collections::HashMap;

use rusqlite::{Connection, params};

/// Everything requests are told apart by in the roll-ups, by their numbers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Group {
    pub(super) hour: u64,
    pub(super) caller: i64,
    pub(super) tenant: i64,
    pub(super) model: i64,
    pub(super) action: i64,
    pub(super) mode: i64,
    pub(super) verdict: i64,
    pub(super) code: i64,
    pub(super) rules: i64,
}

/// What is added to a group. Less than nothing when a request leaves it for another: its code is
/// the decision's until its outcome comes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sums {
    pub(super) requests: i64,
    pub(super) rows: i64,
    /// Requests of which is known how long they took.
    pub(super) timed: i64,
    pub(super) total_us: i64,
}

/// What is added to what a caller used of a model in an hour. Less than nothing where more was
/// reserved than used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Used {
    pub(super) requests: i64,
    pub(super) rows: i64,
    pub(super) busy_us: i64,
    pub(super) mb_us: i64,
    pub(super) bytes_in: i64,
    pub(super) bytes_out: i64,
    /// In 10^-12 of the currency.
    pub(super) charge: i128,
}

/// The changes of a batch.
#[derive(Default)]
pub(super) struct Tally {
    groups: HashMap<Group, Sums>,
    used: HashMap<(u64, i64, i64), Used>,
    hours: HashMap<u64, (u64, u64)>,
}

impl Tally {
    /// Adds to a group.
    pub(super) fn add(&mut self, group: Group, sums: Sums) {
        let sum = self.groups.entry(group).or_default();
        sum.requests += sums.requests;
        sum.rows += sums.rows;
        sum.timed += sums.timed;
        sum.total_us += sums.total_us;
    }

    /// Adds to what the caller of a group used of its model.
    pub(super) fn used(&mut self, group: &Group, used: Used) {
        let sum = self.used.entry((group.hour, group.caller, group.model)).or_default();
        sum.requests += used.requests;
        sum.rows += used.rows;
        sum.busy_us = sum.busy_us.saturating_add(used.busy_us);
        sum.mb_us = sum.mb_us.saturating_add(used.mb_us);
        sum.bytes_in = sum.bytes_in.saturating_add(used.bytes_in);
        sum.bytes_out = sum.bytes_out.saturating_add(used.bytes_out);
        sum.charge += used.charge;
    }

    /// Says that record `n` is of this hour.
    pub(super) fn hour(&mut self, hour: u64, n: u64) {
        let (first, last) = self.hours.entry(hour).or_insert((n, n));
        *first = n.min(*first);
        *last = n.max(*last);
    }

    /// Writes the changes and forgets them.
    pub(super) fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut by_hour = connection.prepare(BY_HOUR)?;
        let mut by_day = connection.prepare(BY_DAY)?;
        let mut empty_hour = connection.prepare(EMPTY_HOUR)?;
        let mut empty_day = connection.prepare(EMPTY_DAY)?;
        for (group, sums) in self.groups.drain().filter(|(_, sums)| *sums != Sums::default()) {
            let Group { hour, caller, tenant, model, action, mode, verdict, code, rules } = group;
            let Sums { requests, rows, timed, total_us } = sums;
            let day = hour / 24;
            by_hour.execute(params![
                hour, tenant, model, action, mode, verdict, code, rules, requests, rows, timed,
                total_us
            ])?;
            by_day.execute(params![
                day, caller, model, action, mode, verdict, code, rules, requests, rows, timed,
                total_us
            ])?;
            // A group that every request has left is one that never was.
            if requests < 0 {
                let of_hour = params![hour, tenant, model, action, mode, verdict, code, rules];
                empty_hour.execute(of_hour)?;
                empty_day
                    .execute(params![day, caller, model, action, mode, verdict, code, rules])?;
            }
        }
        let mut add_used = connection.prepare(USED)?;
        for ((hour, caller, model), used) in self.used.drain() {
            let Used { requests, rows, busy_us, mb_us, bytes_in, bytes_out, charge } = used;
            let whole = |part: i128| i64::try_from(part).unwrap_or(i64::MAX);
            let micros = whole(charge.div_euclid(PICOS_PER_MICRO));
            let picos = whole(charge.rem_euclid(PICOS_PER_MICRO));
            add_used.execute(params![
                hour, caller, model, requests, rows, busy_us, mb_us, bytes_in, bytes_out, micros,
                picos
            ])?;
        }
        let mut hours = connection.prepare(HOURS)?;
        for (hour, (first, last)) in self.hours.drain() {
            hours.execute(params![hour, first, last])?;
        }
        Ok(())
    }
}

const BY_HOUR: &str = "
INSERT INTO by_hour VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests, rows = rows + excluded.rows,
    timed = timed + excluded.timed, total_us = total_us + excluded.total_us";
const BY_DAY: &str = "
INSERT INTO by_day VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests, rows = rows + excluded.rows,
    timed = timed + excluded.timed, total_us = total_us + excluded.total_us";
const USED: &str = "
INSERT INTO used VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
ON CONFLICT DO UPDATE SET
    requests = requests + excluded.requests, rows = rows + excluded.rows,
    busy_us = busy_us + excluded.busy_us, mb_us = mb_us + excluded.mb_us,
    bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out,
    micros = micros + excluded.micros + (picos + excluded.picos) / 1000000,
    picos = (picos + excluded.picos) % 1000000";
const PICOS_PER_MICRO: i128 = 1_000_000;
const HOURS: &str = "
INSERT INTO hours VALUES (?1, ?2, ?3)
ON CONFLICT DO UPDATE SET
    first_n = min(first_n, excluded.first_n), last_n = max(last_n, excluded.last_n)";
const EMPTY_HOUR: &str = "
DELETE FROM by_hour
WHERE requests = 0 AND hour = ?1 AND tenant = ?2 AND model = ?3 AND action = ?4 AND mode = ?5
    AND verdict = ?6 AND code = ?7 AND rules = ?8";
const EMPTY_DAY: &str = "
DELETE FROM by_day
WHERE requests = 0 AND day = ?1 AND caller = ?2 AND model = ?3 AND action = ?4 AND mode = ?5
    AND verdict = ?6 AND code = ?7 AND rules = ?8";
