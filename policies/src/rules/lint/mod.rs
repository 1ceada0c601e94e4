//! What Cedar's validator cannot know: ids, annotations, and names that only our tables declare.

use cedar_policy::{Effect, Policy};
use serde_json::Value;

use super::Rule;
use super::entities::{GROUP, MODEL, TENANT};
use crate::decision::RESERVED_CODES;
use crate::mistake::{Mistakes, Place};
use crate::tables::Tables;

/// Where a rule stands.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    start: usize,
}

impl<'a> Source<'a> {
    /// Finds the rule's own text behind `cursor`, and moves `cursor` behind it.
    pub(super) fn of(file: &'a str, text: &'a str, policy: &Policy, cursor: &mut usize) -> Self {
        let own = policy.to_cedar().unwrap_or_default();
        let found = text.get(*cursor..).and_then(|rest| rest.find(&own));
        let start = *cursor + found.unwrap_or(0);
        *cursor = start + found.map_or(0, |_| own.len());
        Self { file, text, start }
    }

    pub(super) fn place(&self) -> Place<'a> {
        Place::at(self.file, self.text, self.start)
    }
}

/// Reads the annotations. `None` without a usable `@id`.
pub(super) fn rule(
    policy: &Policy,
    source: &Source<'_>,
    tables: &Tables,
    mistakes: &mut Mistakes,
) -> Option<Rule> {
    annotations_fit(policy, source, mistakes);
    let rule = Rule {
        id: policy.annotation("id").unwrap_or_default().into(),
        code: policy.annotation("code").map(str::to_owned),
        release: policy.annotation("release").and_then(|name| {
            let releases = tables.releases.as_ref()?;
            let found = releases.named(name).cloned();
            declared("release profile", name, found, releases.names(), source, mistakes)
        }),
        limits: policy.annotation("limits").and_then(|name| {
            let limits = tables.limits.as_ref()?;
            let found = limits.named(name).cloned();
            declared("limit profile", name, found, limits.names(), source, mistakes)
        }),
    };
    if let Some(code) = &rule.code {
        code_fits(code, source, mistakes);
    }
    if rule.id.is_empty() {
        mistakes
            .error(source.place(), "a rule has no `@id`")
            .hint("write `@id(\"clinicians-may-infer\")` above it: audit records name rules by id");
        return None;
    }
    Some(rule)
}

/// Every group, tenant and model that a rule names must be in a table: Cedar takes any name, and
/// a misspelt one matches nobody.
pub(super) fn names(
    policy: &Policy,
    source: &Source<'_>,
    tables: &Tables,
    mistakes: &mut Mistakes,
) {
    for literal in policy.entity_literals() {
        let (kind, known): (_, Vec<&str>) =
            match (literal.type_name().basename(), &tables.roles, &tables.models) {
                (GROUP, Some(roles), _) => ("group", roles.groups().collect()),
                (TENANT, Some(roles), _) => ("tenant", roles.tenants().collect()),
                (MODEL, _, Some(models)) => ("model", models.keys().map(|name| &**name).collect()),
                _ => continue,
            };
        let name = literal.id().unescaped();
        if !known.contains(&name) {
            mistakes
                .error(source.place(), format!("unknown {kind} `{name}`"))
                .did_you_mean(name, known);
        }
    }
}

/// Asked why a caller was denied, we evaluate clause by clause: so one condition in each.
pub(super) fn conditions(policy: &Policy, source: &Source<'_>, mistakes: &mut Mistakes) {
    let Ok(json) = policy.to_json() else { return };
    let clauses = json.get("conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let crowded = clauses.iter().any(|clause| {
        let joined_by =
            if clause.get("kind").and_then(Value::as_str) == Some("unless") { "||" } else { "&&" };
        clause.get("body").and_then(|body| body.get(joined_by)).is_some()
    });
    if crowded {
        mistakes
            .warning(source.place(), "several conditions stand in one clause")
            .hint("write each in its own `when` (for `||` its own `unless`), and refusals can name the one that failed");
    }
}

fn annotations_fit(policy: &Policy, source: &Source<'_>, mistakes: &mut Mistakes) {
    for (name, _) in policy.annotations() {
        match (name, policy.effect()) {
            ("id" | "note", _)
            | ("code", Effect::Forbid)
            | ("release" | "limits", Effect::Permit) => {}
            ("code", Effect::Permit) => {
                mistakes.error(
                    source.place(),
                    "`@code` says why something is denied, but this rule permits",
                );
            }
            ("release" | "limits", Effect::Forbid) => {
                mistakes.error(
                    source.place(),
                    format!("`@{name}` says what is granted, but this rule forbids"),
                );
            }
            _ => mistakes
                .error(source.place(), format!("unknown annotation `@{name}`"))
                .did_you_mean(name, ANNOTATIONS),
        }
    }
}

fn code_fits(code: &str, source: &Source<'_>, mistakes: &mut Mistakes) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if code.is_empty() || code.len() > CODE_BYTES_MAX || !code.chars().all(plain) {
        mistakes.error(source.place(), format!("`{code}` is not a code")).hint(format!(
            "up to {CODE_BYTES_MAX} small letters, digits and `_`, such as `other_tenant`"
        ));
    }
    if RESERVED_CODES.contains(&code) {
        mistakes
            .error(source.place(), format!("the code `{code}` is taken"))
            .hint("it says that no rule decided, so no rule may use it");
    }
}

fn declared<'a, T>(
    kind: &str,
    name: &str,
    found: Option<T>,
    known: impl Iterator<Item = &'a str>,
    source: &Source<'_>,
    mistakes: &mut Mistakes,
) -> Option<T> {
    if found.is_none() {
        mistakes
            .error(source.place(), format!("unknown {kind} `{name}`"))
            .did_you_mean(name, known);
    }
    found
}

const ANNOTATIONS: [&str; 5] = ["code", "id", "limits", "note", "release"];
const CODE_BYTES_MAX: usize = 64;
