//! `@id`, `@code`, `@release`, `@limits` and `@note`.

use cedar_policy::{Effect, Policy};

use super::super::Rule;
use super::Source;
use crate::decision::RESERVED_CODES;
use crate::mistake::Mistakes;
use crate::tables::Tables;

/// Reads the annotations. `None` without a usable `@id`.
pub(super) fn read(
    policy: &Policy,
    source: &Source<'_>,
    tables: &Tables,
    mistakes: &mut Mistakes,
) -> Option<Rule> {
    must_fit(policy, source, mistakes);
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

fn must_fit(policy: &Policy, source: &Source<'_>, mistakes: &mut Mistakes) {
    for (name, _) in policy.annotations() {
        let place = source.place_of(&[&format!("@{name}")]);
        match (name, policy.effect()) {
            ("id" | "note", _)
            | ("code", Effect::Forbid)
            | ("release" | "limits", Effect::Permit) => {}
            ("code", Effect::Permit) => mistakes
                .error(place, "`@code` says why something is denied, but this rule permits")
                .hint("take it out, or use `@note` for a remark"),
            ("release" | "limits", Effect::Forbid) => mistakes
                .error(place, format!("`@{name}` says what is granted, but this rule forbids"))
                .hint("write it above the rules that permit"),
            _ => mistakes
                .error(place, format!("unknown annotation `@{name}`"))
                .did_you_mean_among(&format!("@{name}"), ANNOTATIONS),
        }
    }
}

fn code_fits(code: &str, source: &Source<'_>, mistakes: &mut Mistakes) {
    let place = source.place_of(&["@code"]);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if code.is_empty() || code.len() > CODE_BYTES_MAX || !code.chars().all(plain) {
        mistakes.error(place, format!("`{code}` is not a code")).hint(format!(
            "up to {CODE_BYTES_MAX} small letters, digits and `_`, such as `other_tenant`"
        ));
    }
    if RESERVED_CODES.contains(&code) {
        mistakes
            .error(place, format!("the code `{code}` is taken"))
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
        let place = source.place_of(&[&format!("\"{name}\"")]);
        mistakes.error(place, format!("unknown {kind} `{name}`")).did_you_mean(name, known);
    }
    found
}

const ANNOTATIONS: [&str; 5] = ["@code", "@id", "@limits", "@note", "@release"];
const CODE_BYTES_MAX: usize = 64;
