use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};

use crate::{KeyError, Secret};

/// Bytes of every symmetric key here: AES-256.
pub const KEY_BYTES: usize = 32;
/// Bytes of an AES-GCM tag.
pub const TAG_BYTES: usize = 16;

/// An AES-256-GCM key with its schedule expanded once; wiped on drop by the cipher itself.
///
/// Nonces are counters: the caller keeps the promise that a counter is used once under a key.
///
/// ```compile_fail
/// let key = sealgate_keys::SealingKey::new(&sealgate_keys::Secret::random().unwrap());
/// println!("{:?}", key);
/// ```
pub struct SealingKey(Aes256Gcm);

impl SealingKey {
    /// Expands `key`.
    #[must_use]
    pub fn new(key: &Secret) -> Self {
        Self(Aes256Gcm::new(key.expose().into()))
    }

    /// Encrypts `buffer` in place and returns the tag.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the buffer is longer than AES-GCM allows.
    pub fn seal_in_place(
        &self,
        counter: u64,
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], KeyError> {
        self.0
            .encrypt_inout_detached(&nonce(counter), aad, InOutBuf::from(buffer))
            .map(Into::into)
            .map_err(|_| KeyError::Refused)
    }

    /// Decrypts `buffer`, ciphertext followed by tag, in place and returns the plaintext's part.
    ///
    /// # Errors
    /// [`KeyError::Refused`], whatever was wrong; the buffer then still holds ciphertext.
    pub fn open_in_place<'a>(
        &self,
        counter: u64,
        aad: &[u8],
        buffer: &'a mut [u8],
    ) -> Result<&'a mut [u8], KeyError> {
        let split = buffer.len().checked_sub(TAG_BYTES).ok_or(KeyError::Refused)?;
        let (body, tag) = buffer.split_at_mut(split);
        let tag = Tag::try_from(&*tag).map_err(|_| KeyError::Refused)?;
        self.0
            .decrypt_inout_detached(&nonce(counter), aad, InOutBuf::from(&mut *body), &tag)
            .map_err(|_| KeyError::Refused)?;
        Ok(body)
    }
}

/// Four zero bytes and the counter, big-endian (the shape of RFC 5288's nonce).
fn nonce(counter: u64) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce.into()
}
