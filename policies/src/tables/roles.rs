//! `roles.toml`: what the claims of a token mean here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{Parsed, parse, refuse_odd_name};
use crate::folder::Folder;
use crate::mistake::Mistakes;

/// Which claim values mean which tenant, groups and clearance.
pub(crate) struct Roles {
    /// The names of the claims to look into.
    pub(crate) claims: ClaimNames,
    levels: BTreeMap<String, i64>,
    tenants: BTreeMap<String, Arc<str>>,
    tenant_of_value: HashMap<String, Arc<str>>,
    groups: BTreeMap<String, Arc<str>>,
    groups_of_value: HashMap<String, Vec<Group>>,
}

#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) clearance: i64,
}

/// The names of the claims in a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimNames {
    #[serde(default = "tenant_claim")]
    pub(crate) tenant: String,
    #[serde(default = "groups_claim")]
    pub(crate) groups: String,
    /// RFC 8693, section 4.2.
    #[serde(default = "scope_claim")]
    pub(crate) scopes: String,
    /// Absent: clearance comes from groups alone.
    pub(crate) clearance: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    claims: ClaimNames,
    levels: BTreeMap<Spanned<String>, i64>,
    tenants: BTreeMap<Spanned<String>, TenantRow>,
    groups: BTreeMap<Spanned<String>, GroupRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantRow {
    #[expect(dead_code, reason = "written for people")]
    title: Option<String>,
    from: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupRow {
    #[expect(dead_code, reason = "written for people")]
    title: Option<String>,
    from: Option<Vec<Spanned<String>>>,
    clearance: Option<Spanned<String>>,
}

impl Roles {
    pub(super) fn load(folder: &Folder, mistakes: &mut Mistakes) -> Option<Self> {
        let parsed: Parsed<'_, File> = parse(folder, "roles.toml", mistakes)?;
        let levels =
            parsed.rows.levels.iter().map(|(name, level)| (name.get_ref().clone(), *level));
        let mut roles = Self {
            levels: levels.collect(),
            tenants: BTreeMap::new(),
            tenant_of_value: HashMap::new(),
            groups: BTreeMap::new(),
            groups_of_value: HashMap::new(),
            claims: ClaimNames {
                tenant: String::new(),
                groups: String::new(),
                scopes: String::new(),
                clearance: None,
            },
        };
        roles.note_tenants(&parsed, mistakes);
        roles.note_groups(&parsed, mistakes);
        roles.claims = parsed.rows.claims;
        Some(roles)
    }

    pub(crate) fn level(&self, name: &str) -> Option<i64> {
        self.levels.get(name).copied()
    }

    pub(crate) fn levels(&self) -> impl Iterator<Item = &str> {
        self.levels.keys().map(String::as_str)
    }

    /// A declared tenant by its own name, as the tables use it.
    pub(crate) fn tenant(&self, name: &str) -> Option<&Arc<str>> {
        self.tenants.get(name)
    }

    pub(crate) fn tenants(&self) -> impl Iterator<Item = &str> {
        self.tenants.keys().map(String::as_str)
    }

    /// The tenant that a claim's value means.
    pub(crate) fn tenant_of(&self, value: &str) -> Option<&Arc<str>> {
        self.tenant_of_value.get(value)
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// Whether being in the group gives a clearance, whatever rules say.
    pub(crate) fn clears(&self, group: &str) -> bool {
        let groups = self.groups_of_value.values().flatten();
        groups.into_iter().any(|known| &*known.name == group && known.clearance > LOWEST)
    }

    /// The groups that a claim's value means: none for most of what an issuer sends.
    pub(crate) fn groups_of(&self, value: &str) -> &[Group] {
        self.groups_of_value.get(value).map_or(&[], Vec::as_slice)
    }

    fn note_tenants(&mut self, parsed: &Parsed<'_, File>, mistakes: &mut Mistakes) {
        for (name, row) in &parsed.rows.tenants {
            refuse_odd_name(parsed.place(name), name.get_ref(), mistakes);
            let tenant: Arc<str> = name.get_ref().as_str().into();
            self.tenants.insert(name.get_ref().clone(), Arc::clone(&tenant));
            for value in row.from.as_deref().unwrap_or(std::slice::from_ref(name)) {
                let before =
                    self.tenant_of_value.insert(value.get_ref().clone(), Arc::clone(&tenant));
                if let Some(other) = before {
                    mistakes
                        .error(
                            parsed.place(value),
                            format!("`{}` means two tenants", value.get_ref()),
                        )
                        .hint(format!("take it out of `{tenant}` or out of `{other}`"));
                }
            }
        }
    }

    fn note_groups(&mut self, parsed: &Parsed<'_, File>, mistakes: &mut Mistakes) {
        for (name, row) in &parsed.rows.groups {
            refuse_odd_name(parsed.place(name), name.get_ref(), mistakes);
            let clearance = self.clearance_of(row, parsed, mistakes);
            let group = Group { name: name.get_ref().as_str().into(), clearance };
            self.groups.insert(name.get_ref().clone(), Arc::clone(&group.name));
            for value in row.from.as_deref().unwrap_or(std::slice::from_ref(name)) {
                self.groups_of_value
                    .entry(value.get_ref().clone())
                    .or_default()
                    .push(group.clone());
            }
        }
    }

    fn clearance_of(
        &self,
        row: &GroupRow,
        parsed: &Parsed<'_, File>,
        mistakes: &mut Mistakes,
    ) -> i64 {
        let Some(level) = &row.clearance else { return LOWEST };
        self.level(level.get_ref()).unwrap_or_else(|| {
            mistakes
                .error(parsed.place(level), format!("unknown level `{}`", level.get_ref()))
                .did_you_mean(level.get_ref(), self.levels());
            LOWEST
        })
    }
}

/// What a caller is cleared for when nothing says more.
pub(crate) const LOWEST: i64 = 0;

fn tenant_claim() -> String {
    "tenant".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

fn scope_claim() -> String {
    "scope".to_owned()
}
