use hkdf::Hkdf;
use sha2::Sha256;

use crate::{KeyError, SealingKey, Secret, labels};

/// What both sides exported from their HPKE session; the root of every key on the hop.
///
/// ```compile_fail
/// println!("{:?}", sealgate_keys::SessionSecret::from_bytes([0; 32]));
/// ```
pub struct SessionSecret(Secret);

impl SessionSecret {
    /// Takes over an exported secret.
    #[must_use]
    pub const fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// Takes over exported bytes; the caller's copy is the caller's to wipe.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::from_bytes(bytes))
    }

    pub(crate) const fn secret(&self) -> &Secret {
        &self.0
    }
}

/// The number of an epoch within its session, from 0.
pub type Epoch = u32;

/// The keys of one epoch: one KEK per direction.
///
/// The next epoch's keys come from a chain secret, never from this epoch's keys, and the chain
/// secret before it is gone: who takes an epoch's keys learns nothing of the epochs before.
///
/// ```compile_fail
/// let keys = sealgate_keys::EpochKeys::first(&sealgate_keys::SessionSecret::from_bytes([0; 32]));
/// let copy = keys.clone();
/// ```
pub struct EpochKeys {
    epoch: Epoch,
    next_chain: Secret,
    kek_request: SealingKey,
    kek_answer: Secret,
}

impl EpochKeys {
    /// Epoch 0 of a session.
    #[must_use]
    pub fn first(secret: &SessionSecret) -> Self {
        Self::derive(0, &secret.0)
    }

    /// The epoch after this one. This one's keys live until they are dropped, so that answers in
    /// flight can still be opened.
    ///
    /// # Errors
    /// [`KeyError::Exhausted`] after 2^32 epochs: the session must be closed.
    pub fn next(&self) -> Result<Self, KeyError> {
        let epoch = self.epoch.checked_add(1).ok_or(KeyError::Exhausted)?;
        Ok(Self::derive(epoch, &self.next_chain))
    }

    fn derive(epoch: Epoch, chain: &Secret) -> Self {
        Self {
            epoch,
            next_chain: expand(chain, labels::CHAIN_NEXT, epoch),
            kek_request: SealingKey::new(&expand(chain, labels::KEK_REQUEST, epoch)),
            kek_answer: expand(chain, labels::KEK_ANSWER, epoch),
        }
    }

    /// This epoch's number.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The KEK that wraps requests' DEKs.
    #[must_use]
    pub const fn kek_request(&self) -> &SealingKey {
        &self.kek_request
    }

    /// The KEK that is mixed into answers' keys.
    #[must_use]
    pub const fn kek_answer(&self) -> &Secret {
        &self.kek_answer
    }
}

/// `HKDF-Expand(secret, label || epoch, 32)`; the secret is uniform already.
pub(crate) fn expand(secret: &Secret, label: &[u8], epoch: Epoch) -> Secret {
    let mut out = Secret::from_bytes([0; 32]);
    #[expect(clippy::expect_used, reason = "32 bytes are SHA-256's own length, in and out")]
    Hkdf::<Sha256>::from_prk(secret.expose())
        .expect("a 32-byte secret is a PRK for SHA-256")
        .expand_multi_info(&[label, &epoch.to_be_bytes()], out.expose_mut())
        .expect("32 bytes are within HKDF-SHA256's output");
    out
}
