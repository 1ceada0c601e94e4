use std::time::Instant;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use hkdf::Hkdf;
use sealgate_keys::at_rest::{KekProvider, SealedFile, seal};
use sealgate_keys::ohttp::KeyList;
use sealgate_keys::receipt::ReceiptKey;
use sealgate_keys::{Cleartext, KeyError, Keyset, Secret, labels};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::client_keys::ClientKeys;
use crate::session::Voucher;

/// The keys of one function version: one secret, from which all of them are derived, and the keyset
/// that they were made for.
///
/// On a disk they are sealed ([`FunctionKeys::seal`]) in the form of model files at rest
/// (`sealgate_keys::at_rest`): whoever holds a key-encryption key that the file is sealed for has the
/// keys, and nobody else.
///
/// ```compile_fail
/// fn print(keys: sealgate_worker::function::FunctionKeys) {
///     println!("{keys:?}");
/// }
/// ```
/// ```compile_fail
/// fn twice(keys: sealgate_worker::function::FunctionKeys) {
///     let copy = keys.clone();
/// }
/// ```
pub struct FunctionKeys {
    pub(super) secret: Secret,
    pub(super) key_ids: [u8; 2],
    pub(super) not_after_s: u64,
    /// What was shown to clients. Fresh keys have none yet.
    pub(super) made_for: Option<Keyset>,
}

impl FunctionKeys {
    /// The longest that keys of a function version live, in seconds: 90 days.
    pub const LIFE_MAX_S: u64 = 90 * 24 * 60 * 60;

    /// Fresh ones, until `not_after_s` (seconds since 1970).
    ///
    /// # Errors
    /// [`KeyError::Randomness`].
    pub fn generate(not_after_s: u64) -> Result<Self, KeyError> {
        let mut key_ids = [0; 2];
        getrandom::fill(&mut key_ids).map_err(|_| KeyError::Randomness)?;
        let [first, second] = key_ids;
        // Chance alone makes ids of two versions that follow each other different, mostly; within
        // one they must be.
        let second = if first == second { first.wrapping_add(1) } else { second };
        let (secret, key_ids) = (Secret::random()?, [first, second]);
        Ok(Self { secret, key_ids, not_after_s, made_for: None })
    }

    /// The sealed file, made for the function that shows `keyset`.
    ///
    /// # Errors
    /// What [`seal`] says.
    pub fn seal(&self, keyset: &Keyset, keks: &[&dyn KekProvider]) -> Result<Vec<u8>, KeyError> {
        let keyset = keyset.encode();
        let room = MAGIC.len() + self.secret.expose().len() + self.key_ids.len() + keyset.len();
        let mut clear = Zeroizing::new(Vec::with_capacity(room));
        for part in [MAGIC, self.secret.expose(), &self.key_ids, &keyset] {
            clear.extend_from_slice(part);
        }
        seal(&clear, keks)
    }

    /// Opens a sealed file with a key-encryption key that it is sealed for.
    ///
    /// # Errors
    /// [`KeyError::OtherKek`], [`KeyError::Refused`], and [`KeyError::Malformed`] for a file of
    /// something else.
    pub fn open(file: &[u8], kek: &dyn KekProvider) -> Result<Self, KeyError> {
        let sealed = SealedFile::parse(file)?;
        if sealed.clear_bytes() > CLEAR_BYTES_MAX {
            return Err(MALFORMED);
        }
        let clear: Cleartext = sealed.open(&sealed.unwrap(kek)?)?;
        let rest = clear.expose().strip_prefix(MAGIC).ok_or(MALFORMED)?;
        let (bytes, rest) = rest.split_first_chunk::<32>().ok_or(MALFORMED)?;
        let (key_ids, keyset) = rest.split_first_chunk::<2>().ok_or(MALFORMED)?;
        let keyset = Keyset::decode(keyset)?;
        let mut secret = Secret::from_bytes([0; 32]);
        secret.expose_mut().copy_from_slice(bytes);
        let not_after_s = keyset.not_after_s;
        Ok(Self { secret, key_ids: *key_ids, not_after_s, made_for: Some(keyset) })
    }

    /// When the keys end, in seconds since 1970.
    #[must_use]
    pub const fn not_after_s(&self) -> u64 {
        self.not_after_s
    }

    /// The ids by which requests name the X-Wing and the X25519 key.
    #[must_use]
    pub const fn key_ids(&self) -> [u8; 2] {
        self.key_ids
    }

    /// The public half of the Ed25519 key that vouches for the keyset: what clients pin.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the library does not take the seed.
    pub fn voucher_key(&self) -> Result<[u8; 32], KeyError> {
        let mut public = [0; 32];
        public.copy_from_slice(self.voucher_pair()?.public_key().as_ref());
        Ok(public)
    }

    pub(crate) fn voucher(&self) -> Result<Voucher, KeyError> {
        self.voucher_pair().map(Voucher::Operator)
    }

    pub(crate) fn receipt_key(&self) -> Result<ReceiptKey, KeyError> {
        ReceiptKey::from_seed(&self.derive(labels::FUNCTION_RECEIPT)?)
    }

    pub(crate) fn client_keys(&self, end: Instant) -> Result<(ClientKeys, KeyList), KeyError> {
        let [x_wing, x25519] = self.key_ids;
        ClientKeys::of_seeds(
            (x_wing, self.derive(labels::FUNCTION_X_WING)?),
            (x25519, self.derive(labels::FUNCTION_X25519)?),
            &self.derive(labels::FUNCTION_REPLAY)?,
            end,
        )
    }

    fn voucher_pair(&self) -> Result<Ed25519KeyPair, KeyError> {
        let seed = self.derive(labels::FUNCTION_VOUCHER)?;
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| KeyError::Refused)
    }

    /// `HKDF-Expand(secret, label, 32)`; the secret is uniform already.
    fn derive(&self, label: &[u8]) -> Result<Secret, KeyError> {
        let mut out = Secret::from_bytes([0; 32]);
        let prk = Hkdf::<Sha256>::from_prk(self.secret.expose()).map_err(|_| KeyError::Refused)?;
        prk.expand(label, out.expose_mut()).map_err(|_| KeyError::Refused)?;
        Ok(out)
    }
}

const MAGIC: &[u8] = b"sealgate function keys 1\n";
const CLEAR_BYTES_MAX: usize = MAGIC.len() + 32 + 2 + Keyset::BYTES_MAX;
const MALFORMED: KeyError = KeyError::Malformed("file of a function's keys");
