use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{KEY_BYTES, KeyError};

/// Thirty-two secret bytes: wiped on drop, never printed, compared in constant time.
///
/// It cannot be printed, copied or compared with `==`:
///
/// ```compile_fail
/// println!("{:?}", sealgate_keys::Secret::random().unwrap());
/// ```
/// ```compile_fail
/// let a = sealgate_keys::Secret::random().unwrap();
/// let b = a.clone();
/// ```
/// ```compile_fail
/// let a = sealgate_keys::Secret::random().unwrap();
/// assert!(a == a);
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; KEY_BYTES]);

impl Secret {
    /// A fresh secret from the operating system.
    ///
    /// # Errors
    /// [`KeyError::Randomness`] when the operating system has none to give.
    pub fn random() -> Result<Self, KeyError> {
        let mut secret = Self([0; KEY_BYTES]);
        getrandom::fill(&mut secret.0).map_err(|_| KeyError::Randomness)?;
        Ok(secret)
    }

    /// Takes over bytes that are secret already; the caller's copy is the caller's to wipe.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one call that needs them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The bytes, for a derivation to write them.
    pub const fn expose_mut(&mut self) -> &mut [u8; KEY_BYTES] {
        &mut self.0
    }

    /// Whether both hold the same bytes, in constant time.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The fresh secret that a gateway hands its worker at spawn, by a file descriptor of its own.
///
/// It goes into HPKE's PSK mode: a process that reaches the worker's socket without it cannot
/// open a session, and so cannot mint a grant.
///
/// ```compile_fail
/// println!("{:?}", sealgate_keys::HopPsk::random().unwrap());
/// ```
pub struct HopPsk(Secret);

impl HopPsk {
    /// Length on the file descriptor.
    pub const BYTES: usize = KEY_BYTES;
    /// Length of the nonce that follows it there, to which the worker's evidence is bound.
    pub const NONCE_BYTES: usize = 32;

    /// A fresh one.
    ///
    /// # Errors
    /// [`KeyError::Randomness`] when the operating system has none to give.
    pub fn random() -> Result<Self, KeyError> {
        Ok(Self(Secret::random()?))
    }

    /// Reads one as it came over the file descriptor.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] unless there are exactly [`HopPsk::BYTES`] bytes, not all zero.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyError> {
        let array = Zeroizing::new(
            <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| KeyError::Malformed("hop secret"))?,
        );
        if bool::from(array.ct_eq(&[0; KEY_BYTES])) {
            return Err(KeyError::Malformed("hop secret"));
        }
        Ok(Self(Secret::from_bytes(*array)))
    }

    /// The secret, and the nonce behind it, out of what both ends of a TLS connection export under
    /// [`TLS_EXPORTER`](crate::labels::TLS_EXPORTER). `export` fills what it is given.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when `export` fails, [`KeyError::Malformed`] when it leaves zeros.
    pub fn exported(
        export: impl FnOnce(&mut [u8]) -> Result<(), KeyError>,
    ) -> Result<(Self, [u8; Self::NONCE_BYTES]), KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES + Self::NONCE_BYTES]);
        export(&mut bytes[..])?;
        let (psk, nonce) = bytes.split_at(KEY_BYTES);
        let nonce = nonce.try_into().map_err(|_| KeyError::Malformed("hop nonce"))?;
        Ok((Self::from_slice(psk)?, nonce))
    }

    /// The bytes, to write them to the worker's file descriptor or into HPKE.
    #[must_use]
    pub const fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose()
    }
}
