//! Canonical JSON (RFC 8785) for what is digested or signed.
//!
//! Keysets and receipts are structs whose fields stand in the order of their names and hold text,
//! integers, booleans and lists of them. For these `serde_json` writes what the RFC asks for:
//! members sorted, no space, its escapes. Reading checks it by writing again.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::KeyError;

pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "text, integers and lists always serialise")]
    serde_json::to_vec(value).expect("encoding into memory does not fail")
}

/// Reads `bytes` and refuses them unless they are the one canonical form.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    bytes_max: usize,
    what: &'static str,
) -> Result<T, KeyError> {
    if bytes.len() > bytes_max {
        return Err(KeyError::TooLarge { what, bytes: bytes.len(), max: bytes_max });
    }
    let value: T = serde_json::from_slice(bytes).map_err(|_| KeyError::Malformed(what))?;
    if encode(&value) == bytes { Ok(value) } else { Err(KeyError::Malformed(what)) }
}
