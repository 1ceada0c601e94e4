//! Rules that can never match. A `forbid` of this kind is refused: somebody trusts in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::entities::{MODEL, TENANT};
use super::Source;
use super::form::{Form, Head, literal, path, sides, texts};
use super::names::{MODES, PROTOCOLS};
use crate::ask::Mode;
use crate::mistake::{Mistake, Mistakes, Place};
use crate::tables::{Model, Tables};

pub(super) fn judge(form: &Form, source: &Source<'_>, tables: &Tables, mistakes: &mut Mistakes) {
    let mut demands = Demands::default();
    for clause in form.clauses() {
        demands.note(clause.body, clause.holds_when);
    }
    if let Some((path, demand)) = demands.0.iter().find(|(path, demand)| !demand.possible(path)) {
        let place = source.place_of(&[path]);
        never(source, place, mistakes, format!("this rule can never match: `{path}` {demand}"))
            .hint(
                "all its clauses must hold at once; for one or the other, write `||` or two rules",
            );
        return;
    }
    modes_of_the_models(form, &demands, source, tables, mistakes);
    owned_by(form, source, tables, mistakes);
}

/// An error for what forbids, a warning for what permits: nothing is permitted by it anyway.
fn never<'m>(
    source: &Source<'_>,
    place: Place<'_>,
    mistakes: &'m mut Mistakes,
    message: String,
) -> &'m mut Mistake {
    match source.permits() {
        true => mistakes.warning(place, message),
        false => mistakes.error(place, message),
    }
}

/// What the tables rule out is only a warning: the table keeps it out, and may change.
fn modes_of_the_models(
    form: &Form,
    demands: &Demands,
    source: &Source<'_>,
    tables: &Tables,
    mistakes: &mut Mistakes,
) {
    let (Some(demand), Some(models)) = (demands.0.get(MODE), &tables.models) else { return };
    let concerned: Vec<&Model> =
        models.values().map(|model| &**model).filter(|model| concerns(form, model)).collect();
    let allowed = || concerned.iter().flat_map(|model| model.modes()).copied().map(Mode::as_str);
    if !concerned.is_empty() && !allowed().any(|mode| demand.allows(mode)) {
        mistakes
            .warning(
                source.place_of(&[MODE]),
                "no model that this rule is about is used in this mode",
            )
            .hint("`modes` in models.toml says how each may be asked");
    }
}

fn owned_by(form: &Form, source: &Source<'_>, tables: &Tables, mistakes: &mut Mistakes) {
    let (Head::In(TENANT, tenant), Some(models), Some(roles)) =
        (form.resource(), &tables.models, &tables.roles)
    else {
        return;
    };
    if roles.tenant(tenant).is_some() && !models.values().any(|model| &**model.owner() == tenant) {
        let place = source.place_of(&["resource in", "resource"]);
        mistakes
            .warning(place, format!("this rule can never match: `{tenant}` owns no model"))
            .hint("`owner` in models.toml says whose a model is");
    }
}

fn concerns(form: &Form, model: &Model) -> bool {
    match form.resource() {
        Head::Is(MODEL, name) => &**model.name() == name,
        Head::In(TENANT, tenant) => &**model.owner() == tenant,
        _ => true,
    }
}

/// What a rule demands of each thing it looks at, as far as that can be told.
#[derive(Default)]
struct Demands(BTreeMap<String, Demand>);

/// What is left for one value.
struct Demand {
    least: i64,
    most: i64,
    /// The least and the most there ever is.
    range: (i64, i64),
    one_of: Option<BTreeSet<String>>,
    none_of: BTreeSet<String>,
}

impl Demands {
    /// Notes that `expression` must be `wanted`. What is not understood demands nothing.
    fn note(&mut self, expression: &Value, wanted: bool) {
        let negated = |inner: &Value| inner.get("arg").cloned();
        if let Some(inner) = expression.get("!").and_then(negated) {
            return self.note(&inner, !wanted);
        }
        if let Some((left, right)) = sides(expression, if wanted { "&&" } else { "||" }) {
            self.note(left, wanted);
            return self.note(right, wanted);
        }
        for operator in ["==", "!=", "<", "<=", ">", ">="] {
            let Some((left, right)) = sides(expression, operator) else { continue };
            let operator = if wanted { operator } else { opposite(operator) };
            if let (Some(path), Some(value)) = (path(left), literal(right)) {
                self.compare(path, operator, value);
            } else if let (Some(value), Some(path)) = (literal(left), path(right)) {
                self.compare(path, mirrored(operator), value);
            }
        }
        if let Some((set, one)) = sides(expression, "contains")
            && let (Some(texts), Some(path)) = (texts(set), path(one))
        {
            let texts = texts.into_iter().map(str::to_owned).collect();
            self.of(path).texts(texts, wanted);
        }
    }

    fn compare(&mut self, path: String, operator: &str, value: &Value) {
        let demand = self.of(path);
        match (value.as_i64(), value.as_str()) {
            (Some(number), _) => demand.number(operator, number),
            (None, Some(text)) => demand.texts(BTreeSet::from([text.to_owned()]), operator == "=="),
            (None, None) => {}
        }
    }

    fn of(&mut self, path: String) -> &mut Demand {
        self.0.entry(path).or_insert_with_key(|path| Demand::any(path))
    }
}

impl Demand {
    fn any(path: &str) -> Self {
        let range = match path {
            "context.time.hour" => (0, 23),
            "context.time.minute" => (0, 59),
            "context.time.weekday" => (1, 7),
            "context.time.epoch_s" | "context.token_age_s" => (0, i64::MAX),
            "context.rows" => (0, i64::from(u32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        let (least, most) = (i64::MIN, i64::MAX);
        Self { least, most, range, one_of: None, none_of: BTreeSet::new() }
    }

    fn number(&mut self, operator: &str, number: i64) {
        let (least, most) = match operator {
            "==" => (number, number),
            "<" => (i64::MIN, number.saturating_sub(1)),
            "<=" => (i64::MIN, number),
            ">" => (number.saturating_add(1), i64::MAX),
            ">=" => (number, i64::MAX),
            _ => return,
        };
        self.least = self.least.max(least);
        self.most = self.most.min(most);
    }

    fn texts(&mut self, texts: BTreeSet<String>, wanted: bool) {
        match (wanted, &mut self.one_of) {
            (false, _) => self.none_of.extend(texts),
            (true, None) => self.one_of = Some(texts),
            (true, Some(before)) => before.retain(|text| texts.contains(text)),
        }
    }

    fn allows(&self, text: &str) -> bool {
        self.one_of.as_ref().is_none_or(|texts| texts.contains(text))
            && !self.none_of.contains(text)
    }

    fn possible(&self, path: &str) -> bool {
        let texts = match (path, &self.one_of) {
            (MODE, _) => MODES.iter().any(|mode| self.allows(mode)),
            (PROTOCOL, _) => PROTOCOLS.iter().any(|protocol| self.allows(protocol)),
            (_, Some(texts)) => texts.iter().any(|text| self.allows(text)),
            (_, None) => true,
        };
        let (least, most) = self.range;
        self.least.max(least) <= self.most.min(most) && texts
    }
}

impl std::fmt::Display for Demand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (least, most) = self.range;
        if self.least > self.most {
            write!(f, "would have to be at least {} and at most {}", self.least, self.most)
        } else if self.least > most || self.most < least {
            write!(f, "goes from {least} to {most}")
        } else {
            f.write_str("would have to be two things at once")
        }
    }
}

fn opposite(operator: &str) -> &str {
    match operator {
        "==" => "!=",
        "!=" => "==",
        "<" => ">=",
        "<=" => ">",
        ">" => "<=",
        ">=" => "<",
        other => other,
    }
}

fn mirrored(operator: &str) -> &str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}

const MODE: &str = "context.mode";
const PROTOCOL: &str = "context.protocol";
