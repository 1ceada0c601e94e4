//! `models.toml`: which models there are, whose they are and how sensitive.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::versions::{Labels, Traffic, Versions, Written};
use super::{Parsed, Roles, parse, refuse_odd_name};
use crate::ask::Mode;
use crate::folder::Folder;
use crate::mistake::Mistakes;

/// One model as the policy knows it: nothing of what is inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    name: Arc<str>,
    title: Option<String>,
    owner: Arc<str>,
    sensitivity: i64,
    modes: Vec<Mode>,
    workers: Workers,
    versions: Versions,
    fields: Option<Vec<String>>,
    batch_across_tenants: bool,
}

/// Who shares a model's worker processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Workers {
    /// Everybody.
    #[default]
    Shared,
    /// The callers of one tenant: rows of different tenants are never in one process.
    PerTenant,
}

impl Model {
    /// Its name in requests and rules.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What people call it.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The tenant it belongs to.
    pub fn owner(&self) -> &Arc<str> {
        &self.owner
    }

    /// The clearance its level asks for: higher is more sensitive.
    pub fn sensitivity(&self) -> i64 {
        self.sensitivity
    }

    /// How requests to it may be sealed.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// Who shares its worker processes.
    pub fn workers(&self) -> Workers {
        self.workers
    }

    /// The versions that may be asked for, or `None` for any that is served.
    pub fn versions(&self) -> Option<&[String]> {
        self.versions.declared()
    }

    /// Where requests go that name no version: versions and their weights. Empty when they go to
    /// the newest.
    pub fn traffic(&self) -> &[(String, u32)] {
        self.versions.traffic()
    }

    /// The input fields a request may carry, or `None` for those of the artifact. The worker
    /// enforces it: the gateway never sees a field.
    pub fn fields(&self) -> Option<&[String]> {
        self.fields.as_deref()
    }

    /// Whether a worker may compute rows of two tenants in one pass. The worker enforces it.
    pub fn batch_across_tenants(&self) -> bool {
        self.batch_across_tenants
    }

    /// One to hold the schema against.
    pub(crate) fn example() -> Self {
        Self {
            name: "example".into(),
            title: None,
            owner: "tenant".into(),
            sensitivity: 0,
            modes: vec![Mode::GatewaySealed],
            workers: Workers::Shared,
            versions: Versions::default(),
            fields: None,
            batch_across_tenants: false,
        }
    }

    /// Whether a version, or a label of one, may be asked for.
    pub(crate) fn has_version(&self, asked: Option<&str>) -> bool {
        asked.is_none_or(|asked| self.versions.may_be_asked(asked))
    }

    /// The version that is meant by what was asked for: labels stand for versions.
    pub(crate) fn version<'a>(&'a self, asked: &'a str) -> &'a str {
        self.versions.meant(asked)
    }
}

/// Every declared model by name.
pub(crate) type Models = BTreeMap<Arc<str>, Arc<Model>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    models: BTreeMap<Spanned<String>, Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    title: Option<String>,
    owner: Spanned<String>,
    sensitivity: Spanned<String>,
    modes: Spanned<Vec<Mode>>,
    #[serde(default)]
    workers: Workers,
    versions: Option<Vec<String>>,
    labels: Option<Labels>,
    traffic: Option<Spanned<Traffic>>,
    fields: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    batch_across_tenants: bool,
}

impl Row {
    fn written_versions(&self) -> Written<'_> {
        Written {
            versions: self.versions.as_ref(),
            labels: self.labels.as_ref(),
            traffic: self.traffic.as_ref(),
        }
    }
}

pub(super) trait Load: Sized {
    fn load(folder: &Folder, roles: Option<&Roles>, mistakes: &mut Mistakes) -> Option<Self>;
}

impl Load for Models {
    fn load(folder: &Folder, roles: Option<&Roles>, mistakes: &mut Mistakes) -> Option<Self> {
        let parsed: Parsed<'_, File> = parse(folder, "models.toml", mistakes)?;
        let mut models = Self::new();
        for (name, row) in &parsed.rows.models {
            refuse_odd_name(parsed.place(name), name.get_ref(), mistakes);
            if row.modes.get_ref().is_empty() {
                mistakes
                    .error(
                        parsed.place(&row.modes),
                        "no mode is allowed, so nobody could ask the model",
                    )
                    .hint("`modes = [\"gateway-sealed\", \"client-sealed\"]`");
            }
            if let Some(fields) = &row.fields
                && fields.get_ref().is_empty()
            {
                mistakes
                    .error(parsed.place(fields), "`fields` is empty")
                    .hint("leave it out to allow the artifact's");
            }
            let name: Arc<str> = name.get_ref().as_str().into();
            let model = Model {
                name: Arc::clone(&name),
                title: row.title.clone(),
                owner: row.owner.get_ref().as_str().into(),
                sensitivity: sensitivity(&parsed, row, roles, mistakes),
                modes: row.modes.get_ref().clone(),
                workers: row.workers,
                versions: Versions::load(&parsed, row.written_versions(), mistakes),
                fields: row.fields.as_ref().map(|fields| fields.get_ref().clone()),
                batch_across_tenants: row.batch_across_tenants,
            };
            models.insert(name, Arc::new(model));
        }
        Some(models)
    }
}

fn sensitivity(
    parsed: &Parsed<'_, File>,
    row: &Row,
    roles: Option<&Roles>,
    mistakes: &mut Mistakes,
) -> i64 {
    let Some(roles) = roles else { return i64::MAX };
    if roles.tenant(row.owner.get_ref()).is_none() {
        mistakes
            .error(parsed.place(&row.owner), format!("unknown tenant `{}`", row.owner.get_ref()))
            .did_you_mean(row.owner.get_ref(), roles.tenants());
    }
    roles.level(row.sensitivity.get_ref()).unwrap_or_else(|| {
        mistakes
            .error(
                parsed.place(&row.sensitivity),
                format!("unknown level `{}`", row.sensitivity.get_ref()),
            )
            .did_you_mean(row.sensitivity.get_ref(), roles.levels());
        i64::MAX
    })
}
