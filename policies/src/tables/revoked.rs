//! `revoked.toml`: tokens, subjects, clients and keys that no longer count. May be absent.

use std::collections::HashSet;

use serde::Deserialize;
use toml::Spanned;

use super::{Issuer, Parsed, parse};
use crate::folder::Folder;
use crate::mistake::Mistakes;

/// What no longer counts. Each entry names an issuer, or means all of them.
#[derive(Default)]
pub(crate) struct Revocations {
    entries: HashSet<(Kind, Option<String>, String)>,
}

/// What a revocation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    TokenId,
    Subject,
    ClientId,
    KeyId,
}

impl Revocations {
    pub(super) fn load(
        folder: &Folder,
        issuers: Option<&[Issuer]>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        if folder.text(FILE).is_none() {
            return Some(Self::default());
        }
        let parsed: Parsed<'_, File> = parse(folder, FILE, mistakes)?;
        let mut revocations = Self::default();
        for row in &parsed.rows.revoked {
            judge(&parsed, row, issuers, mistakes);
            let issuer = row.get_ref().issuer.clone();
            for (kind, value) in row.get_ref().named() {
                revocations.entries.insert((kind, issuer.clone(), value.to_owned()));
            }
        }
        Some(revocations)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn names(&self, kind: Kind, issuer: &str, value: &str) -> bool {
        let of_one = (kind, Some(issuer.to_owned()), value.to_owned());
        let of_all = (kind, None, value.to_owned());
        self.entries.contains(&of_one) || self.entries.contains(&of_all)
    }
}

/// A row that names two things would be read as "either" by one admin and as "both" by the next.
fn judge(
    parsed: &Parsed<'_, File>,
    row: &Spanned<Row>,
    issuers: Option<&[Issuer]>,
    mistakes: &mut Mistakes,
) {
    if row.get_ref().named().count() != 1 {
        mistakes.error(parsed.place(row), "an entry names exactly one thing").hint(
            "one of `jti`, `sub`, `client_id`, `kid`; write several entries for several things",
        );
    }
    let (Some(issuer), Some(issuers)) = (&row.get_ref().issuer, issuers) else { return };
    if !issuers.iter().any(|known| *known.name == **issuer) {
        mistakes
            .error(parsed.place(row), format!("unknown issuer `{issuer}`"))
            .did_you_mean(issuer, issuers.iter().map(|known| &*known.name));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    revoked: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    issuer: Option<String>,
    jti: Option<String>,
    sub: Option<String>,
    client_id: Option<String>,
    kid: Option<String>,
    #[expect(dead_code, reason = "written for people")]
    reason: Option<String>,
}

impl Row {
    fn named(&self) -> impl Iterator<Item = (Kind, &str)> {
        let all = [
            (Kind::TokenId, &self.jti),
            (Kind::Subject, &self.sub),
            (Kind::ClientId, &self.client_id),
            (Kind::KeyId, &self.kid),
        ];
        all.into_iter().filter_map(|(kind, value)| value.as_deref().map(|value| (kind, value)))
    }
}

const FILE: &str = "revoked.toml";
