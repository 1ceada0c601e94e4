//! What the audit log has of an issuer's keys: each change, and when they can no longer be had.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sealgate_audit::{Event, IssuerKeysChanged, IssuerKeysNotRenewed, Text, Texts};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::JwksError;
use crate::journal::Journal;

/// Writes one record for each change of an issuer's keys, and one when fetches begin to fail: not
/// one for each fetch.
pub(super) struct Recorder {
    issuer: Text,
    journal: Arc<Journal>,
    last: Mutex<Last>,
}

/// What the record says so far.
#[derive(Default)]
struct Last {
    /// Of the keys that count; `None` without any.
    jwks_digest: Option<Text>,
    failing: bool,
}

/// Where keys that count now come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the issuer.
    Fetched,
    /// From the disk, because the issuer could not be asked since the start.
    Kept,
}

impl Recorder {
    pub(super) fn new(issuer: &str, journal: Arc<Journal>) -> Self {
        Self { issuer: issuer.into(), journal, last: Mutex::default() }
    }

    /// The keys of a JWK set count from now on. The same as before are worth a record only when
    /// the last one says that they could not be fetched.
    pub(super) fn in_use(&self, jwks: &str, origin: Origin) {
        let Ok(published) = serde_json::from_str::<Published>(jwks) else { return };
        let digest = published.digest();
        let mut last = self.last();
        let recovered = origin == Origin::Fetched && mem::take(&mut last.failing);
        let previous = last.jwks_digest.replace(digest.clone());
        if recovered || previous.as_ref() != Some(&digest) {
            self.changed(Some(digest), published.kids(), previous, origin.as_str());
        }
    }

    /// No keys count any more: they are too old.
    pub(super) fn too_old(&self) {
        let previous = self.last().jwks_digest.take();
        self.changed(None, Texts::default(), previous, "too_old");
    }

    /// A fetch failed.
    pub(super) fn not_renewed(&self, why: &JwksError) {
        if !mem::replace(&mut self.last().failing, true) {
            self.journal.note(&Event::IssuerKeysNotRenewed(IssuerKeysNotRenewed {
                issuer: self.issuer.clone(),
                why: why.code().into(),
            }));
        }
    }

    fn changed(
        &self,
        jwks_digest: Option<Text>,
        kids: Texts,
        previous_digest: Option<Text>,
        why: &str,
    ) {
        self.journal.note(&Event::IssuerKeysChanged(IssuerKeysChanged {
            issuer: self.issuer.clone(),
            jwks_digest,
            kids,
            previous_digest,
            why: why.into(),
        }));
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Origin {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Kept => "kept",
        }
    }
}

/// A JWK set as its issuer wrote it; members of a key stand in the order of their names.
#[derive(Deserialize)]
struct Published {
    keys: Vec<BTreeMap<String, Value>>,
}

impl Published {
    /// SHA-256 of the keys, in hex: the same in whatever order they are written.
    fn digest(&self) -> Text {
        // Compact JSON has no line break, so keys that are joined by one cannot run together.
        let keys = self.keys.iter().filter_map(|key| serde_json::to_string(key).ok());
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        hex::encode(Sha256::digest(keys.join("\n"))).into()
    }

    /// The names of the keys, sorted. Of a key, nothing else goes into the record.
    fn kids(&self) -> Texts {
        let mut kids: Vec<_> =
            self.keys.iter().filter_map(|key| key.get("kid")?.as_str()).collect();
        kids.sort_unstable();
        kids.into_iter().collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn published(text: &str) -> Published {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_order_of_keys_and_of_their_members_makes_no_other_digest() {
        let one = published(r#"{"keys":[{"kid":"a","x":"1"},{"kid":"b","x":"2"}]}"#);
        let two = published(r#"{"keys": [{"x":"2","kid":"b"}, {"x":"1","kid":"a"}]}"#);
        assert_eq!(one.digest(), two.digest());
    }

    #[test]
    fn another_key_of_the_same_name_makes_another_digest() {
        let one = published(r#"{"keys":[{"kid":"a","x":"1"}]}"#);
        let two = published(r#"{"keys":[{"kid":"a","x":"2"}]}"#);
        assert_eq!(one.kids(), two.kids());
        assert_ne!(one.digest(), two.digest());
    }

    #[test]
    fn a_name_that_is_too_long_is_cut() {
        let long = published(&format!(r#"{{"keys":[{{"kid":"{}"}}]}}"#, "k".repeat(9_000)));
        let kids = long.kids();
        let bytes: Vec<_> = kids.iter().map(|kid| kid.as_str().len()).collect();
        assert_eq!(bytes, [Text::BYTES_MAX]);
    }
}
