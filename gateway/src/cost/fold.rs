//! What was spent, read from the record: that is the truth, and a gateway that starts knows of
//! nothing else.
//!
//! An allowed request without an outcome has cost all that was reserved for it: the gateway was
//! killed while it was under way.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use sealgate_audit::{
    AuditError, Charge, Entry as Written, Hash, Records, RequestId, Text, Usage, leaf_hash,
    records_from, records_since,
};
use sealgate_policies::{BudgetName, BudgetOf, BudgetPer, Money};
use serde::Deserialize;

use super::ledger::{Entry, Ledger, period};
use super::payer;
use crate::limits::{Day, Namer};

/// What the record says, up to a place in it.
pub struct Fold {
    pub ledger: Ledger,
    /// What was reserved, by request, until its outcome says what was used.
    pub open: HashMap<RequestId, Entry>,
    /// The same requests, the oldest first, and some that are not open any more.
    order: VecDeque<RequestId>,
    /// The last record that is counted.
    pub at: Option<Position>,
    /// Whether the log knows all of the month.
    pub reaches_back: bool,
}

/// A record, and what it was: another log in the same place is none of this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub file: String,
    pub offset: u64,
    pub leaf: Hash,
}

impl Fold {
    /// Nothing, up to nowhere.
    pub fn new(accounts_max: usize) -> Self {
        let ledger = Ledger::new(accounts_max);
        Self { ledger, open: HashMap::new(), order: VecDeque::new(), at: None, reaches_back: true }
    }

    /// Remembers what was reserved for a request. Of many the oldest is forgotten: no more are in
    /// flight at once, so that one goes on costing what was reserved.
    pub fn open(&mut self, id: RequestId, entry: Entry) {
        if self.order.len() >= OPEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
        self.order.push_back(id);
        self.open.insert(id, entry);
    }

    /// Counts what the log in `dir` has gained, and says how many records that are. Where the last
    /// record counted is not there any more, everything is counted anew: the log is right.
    ///
    /// # Errors
    /// When the log cannot be read. What stands before the error is counted.
    pub fn advance(&mut self, dir: &Path, namer: &Namer, now_s: u64) -> Result<u64, AuditError> {
        let records = match self.rest(dir)? {
            Some(rest) => rest,
            None => self.anew(dir, now_s)?,
        };
        let mut last: Option<Written> = None;
        let mut count = 0;
        let mut failed = None;
        for entry in records {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            self.record(&entry.body, namer);
            count += 1;
            last = Some(entry);
        }
        if let Some(Written { file, offset, body }) = last {
            self.at = Some(Position { file, offset, leaf: leaf_hash(&body) });
        }
        failed.map_or(Ok(count), Err)
    }

    /// What stands behind the last record counted, if that is still there.
    fn rest(&self, dir: &Path) -> Result<Option<Records>, AuditError> {
        let Some(at) = &self.at else { return Ok(None) };
        let mut rest = records_from(dir, &at.file, at.offset)?;
        let same = matches!(rest.next(), Some(Ok(entry)) if leaf_hash(&entry.body) == at.leaf);
        Ok(same.then_some(rest))
    }

    fn anew(&mut self, dir: &Path, now_s: u64) -> Result<Records, AuditError> {
        self.ledger.clear();
        self.open.clear();
        self.order.clear();
        self.at = None;
        let since_s = Day::of(now_s).month_begins_s().min(now_s.saturating_sub(DAY_S));
        let (records, reaches_back) = records_since(dir, since_s.saturating_mul(1_000_000))?;
        self.reaches_back = reaches_back;
        Ok(records)
    }

    /// What says nothing of money is not parsed, and without prices nothing does.
    fn record(&mut self, body: &[u8], namer: &Namer) {
        let says = |word| memchr::memmem::find(body, word).is_some();
        if body.ends_with(STARTED) {
            // Whatever had no outcome by then has none.
            self.open.clear();
            self.order.clear();
        } else if says(CHARGE) || says(WARNED) {
            // What cannot be read is of a later version: `audit verify` tells of everything else.
            if let Ok(Line { event }) = serde_json::from_slice(body) {
                self.event(event, namer);
            }
        }
    }

    fn event(&mut self, event: Said, namer: &Namer) {
        match event {
            Said { caller: Some(caller), charge: Some(charge), request_id: Some(id), .. } => {
                let payer = payer(namer, &caller.issuer, &caller.subject, &caller.tenant);
                let amount = Money::from_picos(charge.reserved);
                let entry = Entry { payer, day: Day(charge.day), amount };
                self.ledger.replay(&entry);
                if let Some(id) = RequestId::parse(id.as_str()) {
                    self.open(id, entry);
                }
            }
            Said { usage: Some(usage), request_id: Some(id), .. } => {
                let open = RequestId::parse(id.as_str()).and_then(|id| self.open.remove(&id));
                if let (Some(entry), Some(charged)) = (open, usage.charge) {
                    let unused = entry.amount.picos().saturating_sub(charged);
                    let amount = Money::from_picos(unused);
                    self.ledger.replay_unused(&Entry { amount, ..entry });
                }
            }
            Said { budget: Some(budget), percent: Some(percent), day: Some(day), .. } => {
                let per = match event.per.as_ref().map(Text::as_str) {
                    Some("day") => BudgetPer::Day,
                    _ => BudgetPer::Month,
                };
                let (of, text) =
                    (event.subject.is_some(), |t: Option<Text>| t.unwrap_or_else(|| "".into()));
                let payer =
                    payer(namer, &text(event.issuer), &text(event.subject), &text(event.tenant));
                let (of, key) = match of {
                    true => (BudgetOf::Caller, payer.caller),
                    false => (BudgetOf::Tenant, payer.tenant),
                };
                if let (Some(name), Ok(percent)) =
                    (BudgetName::new(budget.as_str()), u8::try_from(percent))
                {
                    let period = period(per, Day(day));
                    self.ledger.replay_told((of, key, period), name, percent);
                }
            }
            _ => {}
        }
    }
}

/// Of a record, what speaks of money.
#[derive(Deserialize)]
struct Line {
    event: Said,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    budget: Option<Text>,
    caller: Option<Caller>,
    charge: Option<Charge>,
    day: Option<u32>,
    issuer: Option<Text>,
    per: Option<Text>,
    percent: Option<u32>,
    request_id: Option<Text>,
    subject: Option<Text>,
    tenant: Option<Text>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Caller {
    issuer: Text,
    subject: Text,
    tenant: Text,
}

const STARTED: &[u8] = b",\"type\":\"started\"}";
/// What a record of a request that was charged, or of its outcome, holds. No name can: its quotes
/// are escaped.
const CHARGE: &[u8] = b"\"charge\":";
const WARNED: &[u8] = b"\"type\":\"budget_warned\"";
const DAY_S: u64 = 86_400;
/// Requests without an outcome that are remembered: more than can be in flight.
const OPEN_MAX: usize = 1 << 16;
