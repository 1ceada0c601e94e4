use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::CLEAR_BYTES_MAX;
use super::provider::FileIdentity;
use super::stream::CHUNK_BYTES;
use crate::{KeyError, canonical};

/// What a sealed file says about itself. The fields stand in the order of their names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Bytes of the artifact.
    pub(super) bytes: usize,
    chunk_bytes: usize,
    cipher: String,
    /// Commitment to the DEK, in hex.
    commitment: Hex,
    format: u32,
    /// SHA-256 of the artifact, in hex.
    sha256: Hex,
}

impl Header {
    pub(super) fn new(artifact: &[u8], commitment: [u8; 32]) -> Result<Self, KeyError> {
        within_limit(artifact.len())?;
        Ok(Self {
            bytes: artifact.len(),
            chunk_bytes: CHUNK_BYTES,
            cipher: CIPHER.to_owned(),
            commitment: Hex(commitment),
            format: FORMAT,
            sha256: Hex(Sha256::digest(artifact).into()),
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        canonical::encode(self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let header: Self = canonical::decode(bytes, HEADER_BYTES_MAX, WHAT)?;
        let known =
            header.format == FORMAT && header.cipher == CIPHER && header.chunk_bytes == CHUNK_BYTES;
        if !known {
            return Err(KeyError::Malformed(WHAT));
        }
        within_limit(header.bytes)?;
        Ok(header)
    }

    pub(super) const fn sha256(&self) -> &[u8; 32] {
        &self.sha256.0
    }

    pub(super) const fn commitment(&self) -> &[u8; 32] {
        &self.commitment.0
    }
}

/// The identity of a header, to which wraps are bound. It holds the commitment, so it is of one DEK.
pub(super) fn identity(header: &[u8]) -> FileIdentity {
    FileIdentity(Sha256::digest(header).into())
}

const fn within_limit(bytes: usize) -> Result<(), KeyError> {
    match bytes {
        0..=CLEAR_BYTES_MAX => Ok(()),
        _ => Err(KeyError::TooLarge { what: "artifact", bytes, max: CLEAR_BYTES_MAX }),
    }
}

/// Thirty-two public bytes, in JSON as lower-case hex.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hex([u8; 32]);

impl From<Hex> for String {
    fn from(bytes: Hex) -> Self {
        hex::encode(bytes.0)
    }
}

impl TryFrom<String> for Hex {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

pub(super) const HEADER_BYTES_MAX: usize = 1 << 10;
const FORMAT: u32 = 1;
const CIPHER: &str = "AES-256-GCM";
const WHAT: &str = "header of a sealed file";
