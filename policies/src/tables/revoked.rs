//! `revoked.toml`: tokens, subjects, clients and keys that no longer count. May be absent.

use jiff::Timestamp;
use serde::Deserialize;
use toml::{Spanned, Value};

use super::{Issuer, Parsed, parse};
use crate::folder::Folder;
use crate::mistake::{Mistakes, Place};
use crate::revocation::{Revocation, RevocationKind as Kind, Revocations};

/// The file's entries, and which of them run out when.
#[derive(Default)]
pub(crate) struct Revoked {
    pub(crate) entries: Revocations,
    ends: Vec<End>,
}

/// An entry with `until`.
struct End {
    line: Option<usize>,
    until_s: u64,
}

impl Revoked {
    pub(super) fn load(
        folder: &Folder,
        issuers: Option<&[Issuer]>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        if folder.text(FILE).is_none() {
            return Some(Self::default());
        }
        let parsed: Parsed<'_, File> = parse(folder, FILE, mistakes)?;
        let mut revoked = Self::default();
        for row in &parsed.rows.revoked {
            judge(&parsed, row, issuers, mistakes);
            let until_s = until(&parsed, row, mistakes);
            if let Some(until_s) = until_s {
                revoked.ends.push(End { line: parsed.place(row).line, until_s });
            }
            let issuer = row.get_ref().issuer.as_deref();
            for (kind, value) in row.get_ref().named() {
                revoked.entries.insert(Revocation {
                    issuer: issuer.map(Into::into),
                    kind,
                    value: value.into(),
                    until_s,
                });
            }
        }
        Some(revoked)
    }

    /// Notes the entries that have run out: nobody needs them any more.
    pub(crate) fn note_what_ran_out(&self, now_s: u64, mistakes: &mut Mistakes) {
        for end in self.ends.iter().filter(|end| end.until_s <= now_s) {
            mistakes
                .warning(
                    Place { line: end.line, ..Place::file(FILE) },
                    "the entry's `until` has passed",
                )
                .hint("remove it: it no longer counts");
        }
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

/// An `until` that cannot be read stops the folder: the entry must not silently end or stay.
fn until(parsed: &Parsed<'_, File>, row: &Spanned<Row>, mistakes: &mut Mistakes) -> Option<u64> {
    let until = row.get_ref().until.as_ref()?;
    let seconds = match until.get_ref() {
        Value::Integer(seconds) => Some(*seconds),
        Value::String(text) => text.parse::<Timestamp>().ok().map(Timestamp::as_second),
        Value::Datetime(time) => {
            time.to_string().parse::<Timestamp>().ok().map(Timestamp::as_second)
        }
        _ => None,
    };
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    if seconds.is_none() {
        mistakes.error(parsed.place(until), "`until` is not a time").hint(
            "for example `until = 2027-01-31T18:00:00Z`, with the offset, or seconds since 1970",
        );
    }
    seconds
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
    until: Option<Spanned<Value>>,
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
