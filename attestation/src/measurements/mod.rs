//! `measurements.toml`: what workers must look like, signed by a key that each judge has pinned in
//! its own configuration.
//!
//! ```toml
//! version = 7                  # only ever rises
//! issued_at_s = 1795000000
//! expires_at_s = 1797600000    # from then on no entry counts
//!
//! [[workers]]                  # several may count at once, as during a rollout
//! id = "milan-2026-11"
//! kind = "sev-snp"
//! not_after_s = 1796000000     # optional
//! measurement = "7cb8.."       # 48 bytes in hexadecimal
//! min_tcb = { bootloader = 3, tee = 0, snp = 8, microcode = 115 }
//! vmpl_max = 0                 # the default
//!
//! [[workers]]
//! id = "tdx-2026-11"
//! kind = "tdx"
//! mr_td = "91eb.."             # 48 bytes; rtmr0 to rtmr3 are optional
//! tcb_statuses = ["UpToDate"]  # the default
//!
//! [[workers]]
//! id = "enclave-2026-11"
//! kind = "nitro"
//! pcr0 = "8bb1.."              # 48 bytes each
//! pcr1 = "4b4d.."
//! pcr2 = "5c4a.."
//!
//! [[workers]]
//! id = "local"
//! kind = "software"            # the worker's own words: one of the two must be there
//! build = "sealgate-worker 0.1.0"
//! build_digest = "9f86.."      # SHA-256 of the binary
//! ```

mod entry;
mod hex_bytes;
mod mistake;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use sealgate_keys::labels;
use serde::Deserialize;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::case::LEEWAY_S;
pub(crate) use entry::{Entry, Reference};
pub(crate) use hex_bytes::Hex;
pub use mistake::Mistake;
use mistake::Place;

/// Measurements whose signature, version and time were found good.
#[derive(Debug, Clone)]
pub struct Measurements {
    head: Head,
    entries: Vec<Entry>,
}

/// Why measurements do not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasurementsError {
    /// Not signed by the pinned key, or changed since.
    #[error("the measurements are not signed by the pinned key")]
    Signature,
    /// An older file than one that has counted before.
    #[error("the measurements are of version {version}, and version {newest_seen} has been seen")]
    RolledBack {
        /// The file's version.
        version: u64,
        /// The newest version this judge has seen.
        newest_seen: u64,
    },
    /// `expires_at_s` has come.
    #[error("the measurements expired at {expires_at_s}")]
    Expired {
        /// When.
        expires_at_s: u64,
    },
    /// `issued_at_s` has not come.
    #[error("the measurements are issued at {issued_at_s}, which is in the future")]
    NotYetIssued {
        /// When.
        issued_at_s: u64,
    },
    /// Something is wrong with the text.
    #[error(transparent)]
    Mistake(#[from] Mistake),
    /// What should be an Ed25519 key in PKCS#8 is not one.
    #[error("not an Ed25519 key in PKCS#8")]
    Key,
}

impl Measurements {
    /// Reads measurements that are signed by the pinned key, not older than any seen before, and
    /// valid at `now_s`.
    ///
    /// # Errors
    ///
    /// The signature is looked at first: nothing unsigned is parsed.
    pub fn verify(
        text: &str,
        signature: &[u8; 64],
        pinned_key: &[u8; 32],
        newest_seen_version: u64,
        now_s: u64,
    ) -> Result<Self, MeasurementsError> {
        UnparsedPublicKey::new(&ED25519, pinned_key)
            .verify(&signed(text), signature)
            .map_err(|_| MeasurementsError::Signature)?;
        let read = parse(text)?;
        let Head { version, issued_at_s, expires_at_s } = read.head;
        if version < newest_seen_version {
            let newest_seen = newest_seen_version;
            return Err(MeasurementsError::RolledBack { version, newest_seen });
        }
        if now_s >= expires_at_s {
            return Err(MeasurementsError::Expired { expires_at_s });
        }
        if issued_at_s > now_s.saturating_add(LEEWAY_S) {
            return Err(MeasurementsError::NotYetIssued { issued_at_s });
        }
        Ok(read)
    }

    /// Looks for mistakes in text that is not signed yet.
    ///
    /// # Errors
    ///
    /// The first mistake, with its line and a hint.
    pub fn check(text: &str) -> Result<(), Mistake> {
        parse(text).map(|_| ())
    }

    /// The version, to be kept as the newest one seen.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.head.version
    }

    /// From when on no entry counts.
    #[must_use]
    pub const fn expires_at_s(&self) -> u64 {
        self.head.expires_at_s
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The first second at which `entry` no longer counts.
    pub(crate) fn end_of(&self, entry: &Entry) -> u64 {
        let own = entry.not_after_s.map_or(u64::MAX, |last_s| last_s.saturating_add(1));
        own.min(self.head.expires_at_s)
    }
}

/// Signs `measurements.toml` with an Ed25519 key in PKCS#8 (DER). Text with a mistake is not
/// signed.
///
/// # Errors
///
/// [`MeasurementsError::Mistake`] or [`MeasurementsError::Key`].
pub fn sign(text: &str, pkcs8: &[u8]) -> Result<[u8; 64], MeasurementsError> {
    Measurements::check(text)?;
    let key = Ed25519KeyPair::from_pkcs8(pkcs8)
        .or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8))
        .map_err(|_| MeasurementsError::Key)?;
    key.sign(&signed(text)).as_ref().try_into().map_err(|_| MeasurementsError::Key)
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: u64,
    issued_at_s: u64,
    expires_at_s: u64,
}

fn signed(text: &str) -> Vec<u8> {
    [labels::MEASUREMENTS, text.as_bytes()].concat()
}

fn parse(text: &str) -> Result<Measurements, Mistake> {
    let place = Place { text };
    let mut table = DeTable::parse(text).map_err(|error| place.of(&error))?;
    let workers = table.get_mut().remove("workers");
    let head = Head::deserialize(Deserializer::from(table)).map_err(|error| place.of(&error))?;
    if head.expires_at_s <= head.issued_at_s {
        return Err(place.whole("`expires_at_s` is not after `issued_at_s`"));
    }

    let mut entries: Vec<Entry> = Vec::new();
    for worker in workers.into_iter().flat_map(items) {
        let span = worker.span();
        let entry = entry::parse(worker, place)?;
        if entries.iter().any(|other| other.id == entry.id) {
            let message = format!("`{}` is the id of two entries", entry.id);
            return Err(place.at(span.start, message));
        }
        entries.push(entry);
    }
    Ok(Measurements { head, entries })
}

/// The items of an array, or the thing itself, which then is refused for not being a table.
fn items<'i>(value: toml::Spanned<DeValue<'i>>) -> Vec<toml::Spanned<DeValue<'i>>> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Array(items) => items.into_iter().collect(),
        other => vec![toml::Spanned::new(span, other)],
    }
}
