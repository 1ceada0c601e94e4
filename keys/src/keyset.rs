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
        let well = keyset.kind == Self::TYPE && keyset.receipt_key.0.len() == 32;
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
