//! Numbers for what comes again and again: strings, callers, sets of rules.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Params, Statement, params};
use sealgate_audit::{Caller, Text, Texts};

/// Gives out numbers, and remembers as many as fit.
pub(super) struct Names<'c> {
    texts: Table<'c, Text>,
    callers: Table<'c, CallerKey>,
    rule_sets: Table<'c, String>,
    add_member: Statement<'c>,
}

/// Issuer, subject, client and tenant, by their numbers.
type CallerKey = (i64, i64, Option<i64>, i64);

impl<'c> Names<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            texts: Table::new(
                connection,
                "SELECT id FROM texts WHERE text = ?1",
                "INSERT INTO texts (text) VALUES (?1) RETURNING id",
            )?,
            callers: Table::new(
                connection,
                "SELECT id FROM callers
                 WHERE issuer = ?1 AND subject = ?2 AND client IS ?3 AND tenant = ?4",
                "INSERT INTO callers (issuer, subject, client, tenant)
                 VALUES (?1, ?2, ?3, ?4) RETURNING id",
            )?,
            rule_sets: Table::new(
                connection,
                "SELECT id FROM rule_sets WHERE words = ?1",
                "INSERT INTO rule_sets (words) VALUES (?1) RETURNING id",
            )?,
            add_member: connection.prepare("INSERT OR IGNORE INTO rule_members VALUES (?1, ?2)")?,
        })
    }

    /// The number of a string.
    pub(super) fn text(&mut self, text: &Text) -> rusqlite::Result<i64> {
        self.texts.number(text, params![text.as_str()]).map(|(number, _)| number)
    }

    /// The number of a string that we chose ourselves.
    pub(super) fn word(&mut self, word: &str) -> rusqlite::Result<i64> {
        self.text(&word.into())
    }

    /// The numbers of a caller and of its tenant.
    pub(super) fn caller(&mut self, caller: &Caller) -> rusqlite::Result<(i64, i64)> {
        let issuer = self.text(&caller.issuer)?;
        let subject = self.text(&caller.subject)?;
        let client = caller.client_id.as_ref().map(|client| self.text(client)).transpose()?;
        let tenant = self.text(&caller.tenant)?;
        let columns = params![issuer, subject, client, tenant];
        let (caller, _) = self.callers.number(&(issuer, subject, client, tenant), columns)?;
        Ok((caller, tenant))
    }

    /// The number of a set of rules.
    pub(super) fn rules(&mut self, rules: &Texts) -> rusqlite::Result<i64> {
        let words: Vec<_> = rules.iter().map(Text::as_str).collect();
        // A list of strings always has a JSON form.
        let words = serde_json::to_string(&words).unwrap_or_default();
        let (set, new) = self.rule_sets.number(&words, params![words])?;
        if new {
            for rule in rules.iter() {
                let rule = self.texts.number(rule, params![rule.as_str()])?.0;
                self.add_member.execute(params![rule, set])?;
            }
        }
        Ok(set)
    }
}

/// One table of numbers.
struct Table<'c, K> {
    known: HashMap<K, i64>,
    find: Statement<'c>,
    add: Statement<'c>,
}

impl<'c, K: Clone + Eq + std::hash::Hash> Table<'c, K> {
    fn new(connection: &'c Connection, find: &str, add: &str) -> rusqlite::Result<Self> {
        let known = HashMap::new();
        Ok(Self { known, find: connection.prepare(find)?, add: connection.prepare(add)? })
    }

    /// The number of `key`, and whether it is new.
    fn number(&mut self, key: &K, columns: impl Params + Copy) -> rusqlite::Result<(i64, bool)> {
        if let Some(number) = self.known.get(key) {
            return Ok((*number, false));
        }
        let found = self.find.query_row(columns, |row| row.get(0)).optional()?;
        let number = match found {
            Some(number) => number,
            None => self.add.query_row(columns, |row| row.get(0))?,
        };
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(key.clone(), number);
        Ok((number, found.is_none()))
    }
}

/// Numbers remembered of each kind; what is forgotten is looked up again.
const KNOWN_MAX: usize = 65_536;
