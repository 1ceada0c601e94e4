//! What is declared and never used: often the other half of a slip.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::super::entities::GROUP;
use super::survey::Seen;
use crate::folder::Folder;
use crate::mistake::{Mistakes, Place};
use crate::tables::Tables;

/// A permit that grants inference and does not say how much gets the strictest of everything.
pub(super) fn obligations(seen: &[Seen<'_>], mistakes: &mut Mistakes) {
    for rule in seen.iter().filter(|rule| rule.source.permits() && rule.infers) {
        let lacking = match (&rule.release, &rule.limits) {
            (None, None) => "neither `@release` nor `@limits`",
            (None, Some(_)) => "no `@release`",
            (Some(_), None) => "no `@limits`",
            (Some(_), Some(_)) => continue,
        };
        mistakes
            .warning(rule.source.place(), format!("`{}` has {lacking}", rule.id))
            .hint("it grants the strictest that is declared; name a profile to say so, or another");
    }
}

/// Profiles that no permit names. When a permit names none, the strictest stands in for it, and
/// which that is depends on all of them.
pub(super) fn profiles(
    seen: &[Seen<'_>],
    folder: &Folder,
    tables: &Tables,
    mistakes: &mut Mistakes,
) {
    let permits = || seen.iter().filter(|rule| rule.source.permits() && rule.infers);
    if let Some(releases) = &tables.releases
        && permits().all(|rule| rule.release.is_some())
    {
        let used: Vec<_> = seen.iter().filter_map(|rule| rule.release.as_deref()).collect();
        for name in releases.names().filter(|name| !used.contains(name)) {
            unused(folder, "release.toml", "release", name, "release profile", mistakes);
        }
    }
    if let Some(limits) = &tables.limits
        && permits().all(|rule| rule.limits.is_some())
    {
        let used: Vec<_> = seen.iter().filter_map(|rule| rule.limits.as_deref()).collect();
        for name in limits.names().filter(|name| !used.contains(name)) {
            unused(folder, "limits.toml", "limits", name, "limit profile", mistakes);
        }
    }
}

/// Groups, tenants and issuers without whom nothing would change.
pub(super) fn names(
    named: &BTreeSet<(String, String)>,
    folder: &Folder,
    tables: &Tables,
    mistakes: &mut Mistakes,
) {
    let (Some(roles), Some(issuers)) = (&tables.roles, &tables.issuers) else { return };
    for group in roles.groups().filter(|group| !roles.clears(group)) {
        if !named.contains(&(GROUP.to_owned(), group.to_owned())) {
            unused(folder, "roles.toml", "groups", group, "group", mistakes);
        }
    }
    for tenant in roles.tenants() {
        if !issuers.iter().any(|issuer| issuer.tenants.contains(tenant)) {
            mistakes
                .warning(
                    place_of(folder, "roles.toml", "tenants", tenant),
                    format!("no issuer may speak for the tenant `{tenant}`"),
                )
                .hint("nobody can be in it: name it under `tenants` in issuers.toml");
        }
    }
    for issuer in issuers.iter().filter(|issuer| issuer.tenants.is_empty()) {
        mistakes
            .warning(
                place_of(folder, "issuers.toml", "issuers", &issuer.name),
                format!("the issuer `{}` may speak for no tenant", issuer.name),
            )
            .hint("name at least one under `tenants`: its callers are in none now");
    }
}

fn unused(
    folder: &Folder,
    file: &str,
    table: &str,
    name: &str,
    what: &str,
    mistakes: &mut Mistakes,
) {
    mistakes
        .warning(place_of(folder, file, table, name), format!("no rule uses the {what} `{name}`"))
        .hint("use it or take it out");
}

/// Where `[table.name]` stands.
fn place_of<'a>(folder: &Folder, file: &'a str, table: &str, name: &str) -> Place<'a> {
    let Some(text) = folder.text(file) else { return Place::file(file) };
    let parsed = DeTable::parse(text).ok();
    let span = parsed.as_ref().and_then(|parsed| {
        let rows = parsed.get_ref().get(table)?.get_ref().as_table()?;
        rows.get_key_value(name).map(|(key, _)| key.span())
    });
    span.map_or(Place::file(file), |span| Place::at(file, text, span.start))
}
