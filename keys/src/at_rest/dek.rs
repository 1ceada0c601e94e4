use hkdf::Hkdf;
use sha2::Sha256;

use crate::{KEY_BYTES, KeyError, SealingKey, Secret, labels};

/// The key of one sealed file, from which the chunks' key and the commitment are derived.
///
/// It travels sealed from whoever may unwrap it to the worker that opens the file; it is never
/// printed, copied or compared with `==`:
///
/// ```compile_fail
/// println!("{:?}", sealgate_keys::at_rest::Dek::from_bytes([1; 32]));
/// ```
/// ```compile_fail
/// let copy = sealgate_keys::at_rest::Dek::from_bytes([1; 32]).clone();
/// ```
/// ```compile_fail
/// let dek = sealgate_keys::at_rest::Dek::from_bytes([1; 32]);
/// assert!(dek == dek);
/// ```
pub struct Dek(Secret);

impl Dek {
    /// A fresh one from the operating system.
    ///
    /// # Errors
    /// [`KeyError::Randomness`] when the operating system has none to give.
    pub fn random() -> Result<Self, KeyError> {
        Secret::random().map(Self)
    }

    /// Takes over bytes that came in a sealed message; the caller's copy is the caller's to wipe.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Secret::from_bytes(bytes))
    }

    pub(super) const fn from_secret(secret: Secret) -> Self {
        Self(secret)
    }

    /// The bytes, to wrap them or to put them into a sealed message.
    #[must_use]
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose()
    }

    /// The key of the chunks. A DEK is of one file, so the nonces are used once under it.
    pub(super) fn chunk_key(&self) -> SealingKey {
        SealingKey::new(&expand(&self.0, labels::AT_REST_CHUNK_KEY))
    }

    /// What only this DEK gives. It is compared in constant time: until a DEK is known to be
    /// right, where it differs is nobody's business.
    pub(super) fn commitment(&self) -> Secret {
        expand(&self.0, labels::AT_REST_COMMITMENT)
    }
}

/// `HKDF-Expand(secret, label, 32)`; the secret is uniform already.
pub(super) fn expand(secret: &Secret, label: &[u8]) -> Secret {
    let mut out = Secret::from_bytes([0; KEY_BYTES]);
    #[expect(clippy::expect_used, reason = "32 bytes are SHA-256's own length, in and out")]
    Hkdf::<Sha256>::from_prk(secret.expose())
        .expect("a 32-byte secret is a PRK for SHA-256")
        .expand(label, out.expose_mut())
        .expect("32 bytes are within HKDF-SHA256's output");
    out
}
