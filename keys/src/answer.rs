use std::sync::Arc;

use hkdf::Hkdf;
use sha2::Sha256;

use crate::frame::{HEADER_BYTES, Header, Kind, split_part};
use crate::request::aad;
use crate::{Cleartext, EpochKeys, KeyError, Outcome, SealingKey, Secret, labels};

/// Bytes of the nonce that the worker mixes into an answer's key.
pub const ANSWER_NONCE_BYTES: usize = 32;

/// Opens the one answer to one request; made by [`RequestSealer::seal`](crate::RequestSealer::seal).
///
/// An answer's payload is `u32 length || outcome || nonce (32) || AES-256-GCM(key, message) with
/// tag`; header and outcome are AAD. The key is [`answer_key`].
///
/// It is used up by opening:
///
/// ```compile_fail
/// fn twice(opener: sealgate_keys::AnswerOpener, frame: &mut [u8], header: sealgate_keys::frame::Header) {
///     let _ = opener.open(&header, frame);
///     let _ = opener.open(&header, frame);
/// }
/// ```
/// ```compile_fail
/// fn print(opener: sealgate_keys::AnswerOpener) {
///     println!("{opener:?}");
/// }
/// ```
pub struct AnswerOpener {
    keys: Arc<EpochKeys>,
    id: u64,
    dek: Secret,
}

/// An answer that verified.
pub struct OpenedAnswer {
    /// What the worker says about the request.
    pub outcome: Outcome,
    /// The sealed message: a padded binary HTTP response.
    pub message: Cleartext,
}

impl AnswerOpener {
    pub(crate) const fn new(keys: Arc<EpochKeys>, id: u64, dek: Secret) -> Self {
        Self { keys, id, dek }
    }

    /// The request's epoch and id, by which its answer is found.
    #[must_use]
    pub fn key(&self) -> (u32, u64) {
        (self.keys.epoch(), self.id)
    }

    /// Opens the answer's payload in place.
    ///
    /// # Errors
    /// [`KeyError::Refused`], whatever was wrong: another request's answer, a changed bit, a cut.
    pub fn open(self, header: &Header, payload: &mut [u8]) -> Result<OpenedAnswer, KeyError> {
        let same = header.kind == Kind::Answer && (header.epoch, header.id) == self.key();
        if !same || header.payload_bytes as usize != payload.len() {
            return Err(KeyError::Refused);
        }
        let (outcome, rest) = split_part(payload).map_err(|_| KeyError::Refused)?;
        let (nonce, body) =
            rest.split_at_mut_checked(ANSWER_NONCE_BYTES).ok_or(KeyError::Refused)?;
        let nonce =
            <&[u8; ANSWER_NONCE_BYTES]>::try_from(&*nonce).map_err(|_| KeyError::Refused)?;
        let header = header.encode();
        let key = answer_key(self.keys.kek_answer(), &self.dek, nonce, &header);
        let aad = aad(labels::ANSWER, &header, outcome);
        let message = key.open_in_place(0, &aad, body)?;
        Ok(OpenedAnswer {
            outcome: Outcome::decode(outcome).map_err(|_| KeyError::Refused)?,
            message: Cleartext::new(message.to_vec()),
        })
    }
}

/// The key of one answer: HKDF-SHA256 with the fresh answer nonce as salt, the epoch's answer KEK
/// and the request's DEK as input, and the answer label with epoch and id as info.
///
/// Both inputs matter: without the KEK an old DEK opens nothing, without the DEK one request's
/// answer does not fit another.
#[must_use]
pub fn answer_key(
    kek_answer: &Secret,
    dek: &Secret,
    nonce: &[u8; ANSWER_NONCE_BYTES],
    header: &[u8; HEADER_BYTES],
) -> SealingKey {
    let mut input = zeroize::Zeroizing::new([0; 64]);
    let (kek_half, dek_half) = input.split_at_mut(32);
    kek_half.copy_from_slice(kek_answer.expose());
    dek_half.copy_from_slice(dek.expose());
    let mut key = Secret::from_bytes([0; 32]);
    #[expect(clippy::expect_used, reason = "32 bytes are SHA-256's own length")]
    Hkdf::<Sha256>::new(Some(nonce), &*input)
        .expand_multi_info(&[labels::ANSWER, &header[8..]], key.expose_mut())
        .expect("32 bytes are within HKDF-SHA256's output");
    SealingKey::new(&key)
}
