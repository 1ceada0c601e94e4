//! How a KEK of 32 bytes wraps a DEK.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Dek;
use crate::{KEY_BYTES, KeyError, SealingKey, Secret, TAG_BYTES};

/// Fresh for each wrap: the key that wraps is used once, and no nonce is ever counted.
pub(super) type Salt = [u8; 32];

pub(super) fn fresh_salt() -> Result<Salt, KeyError> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|_| KeyError::Randomness)?;
    Ok(salt)
}

/// `AES-256-GCM(HKDF-SHA256(salt, KEK, label), nonce 0, DEK, context)`.
pub(super) fn wrap_dek(
    kek: &Secret,
    salt: &Salt,
    label: &[u8],
    context: &[u8],
    dek: &Dek,
) -> Result<Vec<u8>, KeyError> {
    let mut wrapped = dek.expose().to_vec();
    let tag = wrapping_key(kek, salt, label).seal_in_place(0, context, &mut wrapped)?;
    wrapped.extend_from_slice(&tag);
    Ok(wrapped)
}

pub(super) fn unwrap_dek(
    kek: &Secret,
    salt: &Salt,
    label: &[u8],
    context: &[u8],
    wrapped: &[u8],
) -> Result<Dek, KeyError> {
    let mut buffer = Zeroizing::new([0; KEY_BYTES + TAG_BYTES]);
    if wrapped.len() != buffer.len() {
        return Err(KeyError::Refused);
    }
    buffer.copy_from_slice(wrapped);
    let dek = wrapping_key(kek, salt, label).open_in_place(0, context, &mut *buffer)?;
    let mut out = Secret::from_bytes([0; KEY_BYTES]);
    out.expose_mut().copy_from_slice(dek);
    Ok(Dek::from_secret(out))
}

fn wrapping_key(kek: &Secret, salt: &Salt, label: &[u8]) -> SealingKey {
    let mut key = Secret::from_bytes([0; KEY_BYTES]);
    #[expect(clippy::expect_used, reason = "32 bytes are SHA-256's own length")]
    Hkdf::<Sha256>::new(Some(salt), kek.expose())
        .expand(label, key.expose_mut())
        .expect("32 bytes are within HKDF-SHA256's output");
    SealingKey::new(&key)
}
