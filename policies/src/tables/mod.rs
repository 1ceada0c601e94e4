//! The tables: who vouches for whom, which models there are, and what a rule may grant.
//!
//! Each file is parsed on its own, so that one slip does not hide the next file's.

mod budgets;
mod issuers;
mod limits;
mod models;
mod prices;
mod read;
mod release;
mod revoked;
mod roles;
mod versions;
mod words;

use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::folder::Folder;
use crate::mistake::{Mistakes, Place};
use crate::set::Profile;

pub use budgets::{Budget, BudgetName, BudgetOf, BudgetPer, Costs};
pub(crate) use issuers::{Issuer, RequiredClaim, SigningAlgorithm};
pub(crate) use limits::Limits;
pub use limits::{LimitProfile, Rate};
use models::Load as _;
pub(crate) use models::Models;
pub use models::{Model, Workers};
pub use prices::{Memory, Prices, Work};
pub(crate) use release::Releases;
pub use release::{ReleaseOutput, ReleaseProfile};
pub(crate) use revoked::Revoked;
pub(crate) use roles::{LOWEST, Roles};

/// Every table that could be read. What could not is `None`, and its mistakes are noted; names
/// that refer to a missing table are then not judged, for every one of them would be wrong.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) issuers: Option<Vec<Issuer>>,
    pub(crate) roles: Option<Roles>,
    pub(crate) models: Option<Models>,
    pub(crate) limits: Option<Limits>,
    pub(crate) releases: Option<Releases>,
    pub(crate) revoked: Option<Revoked>,
}

impl Tables {
    pub(crate) fn load(folder: &Folder, profile: Profile, mistakes: &mut Mistakes) -> Self {
        let roles = Roles::load(folder, mistakes);
        let issuers = issuers::load(folder, profile, roles.as_ref(), mistakes);
        let models = Models::load(folder, roles.as_ref(), mistakes);
        Self {
            revoked: Revoked::load(folder, issuers.as_deref(), mistakes),
            limits: Limits::load(folder, roles.as_ref(), models.as_ref(), mistakes),
            releases: Releases::load(folder, mistakes),
            issuers,
            roles,
            models,
        }
    }
}

/// A parsed file together with what is needed to say where something in it stands.
pub(crate) struct Parsed<'a, T> {
    file: &'a str,
    text: &'a str,
    pub(crate) rows: T,
}

impl<T> Parsed<'_, T> {
    pub(crate) fn place<V>(&self, value: &Spanned<V>) -> Place<'_> {
        Place::at(self.file, self.text, value.span().start)
    }

    fn whole(&self) -> Place<'_> {
        Place::file(self.file)
    }
}

pub(crate) fn parse<'a, T: DeserializeOwned>(
    folder: &'a Folder,
    file: &'a str,
    mistakes: &mut Mistakes,
) -> Option<Parsed<'a, T>> {
    let Some(text) = folder.text(file) else {
        // Why it could not be read has been said.
        if mistakes.iter().any(|mistake| mistake.file == file) {
            return None;
        }
        mistakes
            .error(Place::file(file), "is missing")
            .hint("copy it from the folder `policies/default` and change it");
        return None;
    };
    parse_text(file, text, mistakes)
}

fn parse_text<'a, T: DeserializeOwned>(
    file: &'a str,
    text: &'a str,
    mistakes: &mut Mistakes,
) -> Option<Parsed<'a, T>> {
    let rows = read::read(file, text, mistakes)?;
    Some(Parsed { file, text, rows })
}

/// Names stand in URLs, rules and audit records, so they are plain.
fn refuse_odd_name(place: Place<'_>, name: &str, mistakes: &mut Mistakes) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(plain) {
        mistakes
            .error(place, format!("`{name}` is not a name"))
            .hint(format!("use up to {NAME_BYTES_MAX} letters, digits, `-`, `_` and `.`"));
    }
}

const NAME_BYTES_MAX: usize = 64;
