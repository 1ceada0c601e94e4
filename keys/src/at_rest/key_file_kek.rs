use std::collections::BTreeMap;
use std::path::Path;

use super::Dek;
use super::dek::expand;
use super::provider::{FileIdentity, KekProvider};
use super::wrap::{self, Wrap};
use super::wrapping::{self, Salt};
use crate::key_file::{self, KeyFileError};
use crate::{KEY_BYTES, KeyError, Secret, labels};

/// A KEK of 32 random bytes, out of a file that only its owner can read.
///
/// Its id is derived from it and says nothing about it: 32 hexadecimal digits, the first half of
/// `HKDF-Expand(KEK, label)`.
///
/// ```compile_fail
/// let kek = sealgate_keys::at_rest::KeyFileKek::new(sealgate_keys::Secret::random().unwrap());
/// println!("{kek:?}");
/// ```
/// ```compile_fail
/// let kek = sealgate_keys::at_rest::KeyFileKek::new(sealgate_keys::Secret::random().unwrap());
/// let copy = kek.clone();
/// ```
pub struct KeyFileKek {
    kek: Secret,
    id: String,
}

impl KeyFileKek {
    /// Takes a KEK over.
    #[must_use]
    pub fn new(kek: Secret) -> Self {
        let whole = expand(&kek, labels::AT_REST_KEK_ID);
        let (half, _) = whole.expose().split_at(16);
        Self { id: hex::encode(half), kek }
    }

    /// Reads a file of exactly 32 bytes.
    ///
    /// # Errors
    /// [`KeyFileError`]: it cannot be read, is open to other users, or holds something else.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let bytes = key_file::read(path)?;
        let none = || KeyFileError::NoKek(path.to_owned());
        if bytes.len() != KEY_BYTES || bytes.iter().all(|byte| *byte == 0) {
            return Err(none());
        }
        let mut kek = Secret::from_bytes([0; KEY_BYTES]);
        kek.expose_mut().copy_from_slice(&bytes);
        Ok(Self::new(kek))
    }

    /// The kind that stands in wraps.
    pub const KIND: &'static str = "key-file";

    pub(super) fn wrap_with(
        &self,
        dek: &Dek,
        file: &FileIdentity,
        salt: &Salt,
    ) -> Result<Wrap, KeyError> {
        let context = file.context(Self::KIND, &self.id);
        let wrapped = wrapping::wrap_dek(&self.kek, salt, labels::AT_REST_KEY_FILE, &context, dek)?;
        let parameters = BTreeMap::from([wrap::salt_parameter(salt)]);
        Wrap::new(Self::KIND, &self.id, parameters, wrapped)
    }
}

impl KekProvider for KeyFileKek {
    fn kind(&self) -> &str {
        Self::KIND
    }

    fn id(&self) -> Option<&str> {
        Some(&self.id)
    }

    fn wrap(&self, dek: &Dek, file: &FileIdentity) -> Result<Wrap, KeyError> {
        self.wrap_with(dek, file, &wrapping::fresh_salt()?)
    }

    fn unwrap(&self, wrap: &Wrap, file: &FileIdentity) -> Result<Dek, KeyError> {
        let salt = wrap.salt().filter(|_| wrap.has_only(&["salt"])).ok_or(KeyError::Refused)?;
        let context = file.context(wrap.kind(), wrap.id());
        let label = labels::AT_REST_KEY_FILE;
        wrapping::unwrap_dek(&self.kek, &salt, label, &context, wrap.wrapped())
    }
}
