//! The request's circumstances, and which of them rules look at.

use std::net::IpAddr;

use cedar_policy::{Context, ContextCreationError, Policy, RestrictedExpression};
use serde_json::{Map, Value};

use super::addresses::Addresses;
use crate::ask::{Ask, DecisionKey, GatewayAsk};
use crate::caller::Caller;
use crate::tables::Model;

/// Which attributes of `context` some rules look at. A rule that uses `context` as a whole looks
/// at all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContextUse {
    /// `context.address`
    pub address: bool,
    /// `context.time`
    pub time: bool,
    /// `context.rows`
    pub rows: bool,
    /// `context.token_age_s`
    pub token_age: bool,
    /// `context.mode`
    pub mode: bool,
    /// `context.protocol`
    pub protocol: bool,
    /// `context.version`
    pub version: bool,
}

impl ContextUse {
    pub(super) const ALL: Self = Self {
        address: true,
        time: true,
        rows: true,
        token_age: true,
        mode: true,
        protocol: true,
        version: true,
    };

    /// A policy that cannot be looked into counts as looking at everything.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut uses = Self::default();
        match policy.to_json() {
            Ok(json) => uses.search(&json),
            Err(_) => uses = Self::ALL,
        }
        uses
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            address: self.address | other.address,
            time: self.time | other.time,
            rows: self.rows | other.rows,
            token_age: self.token_age | other.token_age,
            mode: self.mode | other.mode,
            protocol: self.protocol | other.protocol,
            version: self.version | other.version,
        }
    }

    /// `None` when a rule looks at what differs at every request.
    pub(crate) fn key(self, model: &Model, ask: &Ask<'_>) -> Option<DecisionKey> {
        if self.time || self.token_age {
            return None;
        }
        Some(DecisionKey {
            model: model.name().clone(),
            version: ask.version.map(Box::from),
            action: ask.action,
            mode: ask.mode,
            protocol: self.protocol.then_some(ask.protocol),
            address: self.address.then_some(ask.address),
            rows: self.rows.then_some(ask.rows),
        })
    }

    fn search(&mut self, json: &Value) {
        match json {
            Value::Object(object) => match attribute_of_context(object) {
                Some(attribute) => self.note(attribute),
                None if is_context(json) => *self = Self::ALL,
                None => object.values().for_each(|value| self.search(value)),
            },
            Value::Array(values) => values.iter().for_each(|value| self.search(value)),
            _ => {}
        }
    }

    /// An attribute that is not supplied is no reason not to keep a decision: it is never there.
    fn note(&mut self, attribute: &str) {
        match attribute {
            "address" => self.address = true,
            "time" => self.time = true,
            "rows" => self.rows = true,
            "token_age_s" => self.token_age = true,
            "mode" => self.mode = true,
            "protocol" => self.protocol = true,
            "version" => self.version = true,
            _ => {}
        }
    }
}

/// `context.x` and `context has x`, in Cedar's JSON form.
fn attribute_of_context(object: &Map<String, Value>) -> Option<&str> {
    let access = object.get(".").or_else(|| object.get("has"))?;
    (object.len() == 1 && is_context(access.get("left")?)).then(|| access.get("attr")?.as_str())?
}

fn is_context(json: &Value) -> bool {
    json.get("Var").and_then(Value::as_str) == Some("context")
}

/// Everything that can stand in `context`.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) address: IpAddr,
    pub(super) now_s: u64,
    pub(super) token_age_s: Option<u64>,
    /// What only a request to a model has: mode, protocol, rows and version.
    pub(super) of_model: Option<&'a Ask<'a>>,
}

impl<'a> Circumstances<'a> {
    pub(super) fn of(caller: &Caller, ask: &'a Ask<'a>) -> Self {
        Self {
            address: ask.address,
            now_s: ask.now_s,
            token_age_s: token_age_s(caller, ask.now_s),
            of_model: Some(ask),
        }
    }

    pub(super) fn of_gateway(caller: &Caller, ask: &GatewayAsk) -> Self {
        Self {
            address: ask.address,
            now_s: ask.now_s,
            token_age_s: token_age_s(caller, ask.now_s),
            of_model: None,
        }
    }

    /// The part that `uses` names.
    pub(super) fn context(
        &self,
        uses: ContextUse,
        addresses: &Addresses,
    ) -> Result<Context, Box<ContextCreationError>> {
        if uses == ContextUse::default() {
            return Ok(Context::empty());
        }
        let mut pairs = Vec::new();
        if uses.address {
            pairs.push(("address".to_owned(), addresses.expression(self.address)));
        }
        if uses.time {
            pairs.push(("time".to_owned(), time(self.now_s)?));
        }
        if uses.token_age {
            pairs.push(("token_age_s".to_owned(), long(self.token_age_s, i64::MAX)));
        }
        if let Some(ask) = self.of_model {
            pairs.extend(of_model(ask, uses));
        }
        Context::from_pairs(pairs).map_err(Box::new)
    }
}

fn token_age_s(caller: &Caller, now_s: u64) -> Option<u64> {
    caller.issued_at_s().map(|issued_at_s| now_s.saturating_sub(issued_at_s))
}

fn of_model(ask: &Ask<'_>, uses: ContextUse) -> Vec<(String, RestrictedExpression)> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let mut pairs = Vec::new();
    if uses.rows {
        pairs.push(("rows".to_owned(), long(ask.rows.map(u64::from), ROWS_UNKNOWN)));
    }
    if uses.mode {
        pairs.push(("mode".to_owned(), text(ask.mode.as_str())));
    }
    if uses.protocol {
        pairs.push(("protocol".to_owned(), text(ask.protocol.as_str())));
    }
    if let (true, Some(version)) = (uses.version, ask.version) {
        pairs.push(("version".to_owned(), text(version)));
    }
    pairs
}

/// UTC. Cedar's own `datetime` knows no weekday.
fn time(now_s: u64) -> Result<RestrictedExpression, Box<ContextCreationError>> {
    let (minute, hour, day) = (now_s / 60, now_s / 3600, now_s / 86_400);
    let parts = [
        ("epoch_s", now_s),
        ("minute", minute % 60),
        ("hour", hour % 24),
        // 1970-01-01 was a Thursday; Monday is 1.
        ("weekday", (day % 7 + 3) % 7 + 1),
    ];
    let fields = parts.map(|(name, value)| (name.to_owned(), long(Some(value), i64::MAX)));
    RestrictedExpression::new_record(fields).map_err(|error| Box::new(error.into()))
}

/// What is not known counts as the most there could be, so that silence never passes for little.
fn long(value: Option<u64>, unknown: i64) -> RestrictedExpression {
    let value = value.map_or(unknown, |value| i64::try_from(value).unwrap_or(i64::MAX));
    RestrictedExpression::new_long(value)
}

/// `context.rows` when the client announced none.
const ROWS_UNKNOWN: i64 = u32::MAX as i64;
