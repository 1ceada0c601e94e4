use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::suite::Aead;
use crate::{Cleartext, KeyError, Secret};

/// Opens the one answer to one sealed request; made by [`seal`](super::seal).
///
/// ```compile_fail
/// fn twice(opener: sealgate_keys::ohttp::ResponseOpener) {
///     let _ = opener.open(&[]);
///     let _ = opener.open(&[]);
/// }
/// ```
/// ```compile_fail
/// fn print(opener: sealgate_keys::ohttp::ResponseOpener) {
///     println!("{opener:?}");
/// }
/// ```
pub struct ResponseOpener {
    aead: Aead,
    encapsulated: Vec<u8>,
    secret: Zeroizing<Vec<u8>>,
    commitment_key: Secret,
}

/// An answer that verified.
pub struct OpenedResponse {
    /// The sealed message: a padded binary HTTP response.
    pub message: Cleartext,
    /// Opens the receipt's commitments.
    pub commitment_key: Secret,
}

impl ResponseOpener {
    pub(super) const fn new(
        aead: Aead,
        encapsulated: Vec<u8>,
        secret: Zeroizing<Vec<u8>>,
        commitment_key: Secret,
    ) -> Self {
        Self { aead, encapsulated, secret, commitment_key }
    }

    /// Opens `response nonce || ciphertext`.
    ///
    /// # Errors
    /// [`KeyError::Refused`], whatever was wrong: another request's answer, a changed bit, a cut.
    pub fn open(self, response: &[u8]) -> Result<OpenedResponse, KeyError> {
        let (nonce, sealed) =
            response.split_at_checked(self.aead.response_nonce_bytes()).ok_or(KeyError::Refused)?;
        let (key, iv) = keys(self.aead, &self.encapsulated, &self.secret, nonce)?;
        let mut buffer = sealed.to_vec();
        let opened = key.open_in_place(iv, Aad::empty(), &mut buffer);
        let bytes = opened.map_err(|_| KeyError::Refused)?.len();
        buffer.truncate(bytes);
        Ok(OpenedResponse { message: Cleartext::new(buffer), commitment_key: self.commitment_key })
    }
}

/// Seals the one answer to one opened request. It is used up by sealing.
///
/// ```compile_fail
/// fn twice(sealer: sealgate_keys::ohttp::ResponseSealer) {
///     let _ = sealer.seal(b"one");
///     let _ = sealer.seal(b"two");
/// }
/// ```
pub struct ResponseSealer {
    aead: Aead,
    encapsulated: Vec<u8>,
    secret: Zeroizing<Vec<u8>>,
}

impl ResponseSealer {
    /// From the secret that the request's HPKE context exported under
    /// [`response_secret_label`](super::response_secret_label).
    #[must_use]
    pub const fn new(aead: Aead, encapsulated: Vec<u8>, secret: Zeroizing<Vec<u8>>) -> Self {
        Self { aead, encapsulated, secret }
    }

    /// `response nonce || ciphertext` (RFC 9458, section 4.4).
    ///
    /// # Errors
    /// [`KeyError::Randomness`] without a nonce, [`KeyError::TooLarge`] over what the AEAD seals.
    pub fn seal(self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = vec![0; self.aead.response_nonce_bytes()];
        getrandom::fill(&mut nonce).map_err(|_| KeyError::Randomness)?;
        self.seal_with(&nonce, message)
    }

    fn seal_with(self, nonce: &[u8], message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (key, iv) = keys(self.aead, &self.encapsulated, &self.secret, nonce)?;
        let mut out = Vec::with_capacity(nonce.len() + message.len() + TAG_BYTES);
        out.extend_from_slice(nonce);
        out.extend_from_slice(message);
        let (_, body) = out.split_at_mut(nonce.len());
        let tag = key.seal_in_place_separate_tag(iv, Aad::empty(), body);
        out.extend_from_slice(tag.map_err(|_| KeyError::Refused)?.as_ref());
        Ok(out)
    }
}

/// `prk = Extract(enc || nonce, secret)`, then key and nonce by `Expand` (RFC 9458, section 4.4).
fn keys(
    aead: Aead,
    encapsulated: &[u8],
    secret: &[u8],
    nonce: &[u8],
) -> Result<(LessSafeKey, Nonce), KeyError> {
    let salt = [encapsulated, nonce].concat();
    let prk = Hkdf::<Sha256>::new(Some(&salt), secret);
    let mut key = Zeroizing::new([0; 32]);
    let key = key.get_mut(..aead.key_bytes()).ok_or(KeyError::Refused)?;
    prk.expand(b"key", key).map_err(|_| KeyError::Refused)?;
    let mut iv = [0; 12];
    prk.expand(b"nonce", &mut iv).map_err(|_| KeyError::Refused)?;
    let key = UnboundKey::new(aead.algorithm(), key).map_err(|_| KeyError::Refused)?;
    Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key(iv)))
}

const TAG_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    /// RFC 9458, appendix A: the answer's keys from the exported secret.
    #[test]
    fn the_appendix_answer_is_sealed_to_the_same_bytes() {
        let hex = |text: &str| hex::decode(text).unwrap();
        let encapsulated = hex("4b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b472");
        let secret = hex("62d87a6ba569ee81014c2641f52bea36");
        let nonce = hex("c789e7151fcba46158ca84b04464910d");
        let sealer = ResponseSealer::new(Aead::Aes128Gcm, encapsulated, Zeroizing::new(secret));
        let sealed = sealer.seal_with(&nonce, &hex("0140c8")).unwrap();
        assert_eq!(
            hex::encode(sealed),
            "c789e7151fcba46158ca84b04464910d86f9013e404feea014e7be4a441f234f857fbd"
        );
    }
}
