use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Base64, KeyError, canonical, labels};

/// What a worker says it is to the clients that seal to it: its keys, its model, its build and its
/// walls. Evidence binds the digest of it; without evidence it is an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyset {
    /// Name and version of the build.
    pub build: String,
    /// SHA-256 of the worker's program file as it read it at start, in hex; self-asserted unless
    /// hardware measured it.
    pub build_digest: String,
    /// The engine: `flex` or `ndarray`.
    pub engine: String,
    /// SHA-256 of the key list, in hex: a list with an entry stripped is another list.
    pub key_list_digest: String,
    /// The model behind these keys.
    pub model: KeysetModel,
    /// When the keys are destroyed, in seconds since 1970 by the worker's clock.
    pub not_after_s: u64,
    /// Ed25519 public key of the worker's receipts.
    pub receipt_key: Base64,
    /// What becomes of a request that is delivered again. Absent: it is refused. Otherwise
    /// [`Keyset::AT_LEAST_ONCE`], which whoever seals should know.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replay: Option<String>,
    /// Each guard and how it stands, in words.
    pub sandbox: Vec<String>,
    /// Whether every essential guard holds, tried by every thread.
    pub sandbox_enforced: bool,
    /// [`Keyset::TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
}

/// The model of a keyset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysetModel {
    /// SHA-256 of the artifact, in hex.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// SHA-256 of its feature schema, in hex.
    pub schema_digest: String,
    /// Its version.
    pub version: String,
}

impl Keyset {
    /// What `type` must say.
    pub const TYPE: &'static str = "sealgate.keyset.v1";
    /// `replay` of keys that open a request as often as it comes within the time of its `Date`.
    pub const AT_LEAST_ONCE: &'static str = "at-least-once";
    /// The longest encoding that is read.
    pub const BYTES_MAX: usize = 16 << 10;

    /// Canonical JSON (RFC 8785).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    /// Reads what [`Keyset::encode`] wrote.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else, another type or form included.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let keyset: Self = canonical::decode(bytes, Self::BYTES_MAX, "keyset")?;
        let replay = keyset.replay.as_deref().is_none_or(|replay| replay == Self::AT_LEAST_ONCE);
        let well = keyset.kind == Self::TYPE && keyset.receipt_key.0.len() == 32 && replay;
        if well { Ok(keyset) } else { Err(KeyError::Malformed("keyset")) }
    }

    /// `SHA-256(label || canonical JSON)`: what evidence binds and receipts name.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(labels::CLIENT_KEYSET)
            .chain_update(self.encode())
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn keyset(replay: Option<&str>) -> Keyset {
        Keyset {
            build: "sealgate-worker 0.1.0".into(),
            build_digest: "ab".repeat(32),
            engine: "flex".into(),
            key_list_digest: "cd".repeat(32),
            model: KeysetModel {
                digest: "ef".repeat(32),
                name: "m".into(),
                schema_digest: "01".repeat(32),
                version: "1".into(),
            },
            not_after_s: 1_790_000_000,
            receipt_key: Base64(vec![7; 32]),
            replay: replay.map(str::to_owned),
            sandbox: vec![],
            sandbox_enforced: false,
            kind: Keyset::TYPE.into(),
        }
    }

    #[test]
    fn a_keyset_without_the_member_has_the_form_and_digest_it_always_had() {
        let bytes = keyset(None).encode();
        assert!(!String::from_utf8(bytes.clone()).unwrap().contains("replay"));
        assert_eq!(Keyset::decode(&bytes).unwrap(), keyset(None));
        // By another implementation, for the members there were before.
        let known = "f5993f8574e3c9ca078fb90c50238a22d1f0b7b749c1e07983822ceb5894ca26";
        assert_eq!(hex::encode(keyset(None).digest()), known);
    }

    #[test]
    fn a_keyset_says_that_requests_may_be_opened_again_or_says_nothing() {
        let bytes = keyset(Some(Keyset::AT_LEAST_ONCE)).encode();
        assert_eq!(Keyset::decode(&bytes).unwrap().replay.as_deref(), Some(Keyset::AT_LEAST_ONCE));
        assert_ne!(keyset(Some(Keyset::AT_LEAST_ONCE)).digest(), keyset(None).digest());
        assert!(Keyset::decode(&keyset(Some("at-most-once")).encode()).is_err());
        let null = String::from_utf8(keyset(None).encode()).unwrap();
        let null = null.replace(r#""sandbox":"#, r#""replay":null,"sandbox":"#);
        assert!(Keyset::decode(null.as_bytes()).is_err(), "one form");
    }
}
