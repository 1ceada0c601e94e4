use std::collections::BTreeMap;
use std::path::Path;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use super::Dek;
use super::provider::{FileIdentity, KekProvider};
use super::wrap::{self, Parameter, Wrap};
use super::wrapping::{self, Salt};
use crate::key_file::{self, KeyFileError};
use crate::{KEY_BYTES, KeyError, Secret, labels};

/// A KEK that Argon2id (RFC 9106) makes of a passphrase, anew for each wrap.
///
/// A wrap's id is random: an id made of the passphrase would help to guess it. So every wrap of
/// this kind in a file may be this passphrase's, and is tried.
///
/// ```compile_fail
/// fn print(kek: sealgate_keys::at_rest::PassphraseKek) {
///     println!("{kek:?}");
/// }
/// ```
/// ```compile_fail
/// fn copy(kek: sealgate_keys::at_rest::PassphraseKek) {
///     let copy = kek.clone();
/// }
/// ```
pub struct PassphraseKek {
    passphrase: Zeroizing<Vec<u8>>,
    cost: Argon2Cost,
}

/// What Argon2id costs: who guesses passphrases pays it for each guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes; they are filled one after the other here.
    pub lanes: u32,
}

/// RFC 9106, section 4, second recommendation (64 MiB, three passes), with one lane in place of
/// four: nothing here fills lanes at once, and only whoever guesses would gain by them.
impl Default for Argon2Cost {
    fn default() -> Self {
        Self { memory_kib: 64 << 10, passes: 3, lanes: 1 }
    }
}

impl PassphraseKek {
    /// Takes a passphrase over: its bytes as they are, without any normalisation.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] unless it is UTF-8 of one line, with [`PassphraseKek::CHARACTERS_MIN`]
    /// characters at least and [`PassphraseKek::BYTES_MAX`] bytes at most.
    pub fn new(passphrase: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(&passphrase).map_err(|_| MALFORMED)?;
        let well = text.chars().count() >= Self::CHARACTERS_MIN
            && text.len() <= Self::BYTES_MAX
            && !text.chars().any(char::is_control);
        let cost = Argon2Cost::default();
        if well { Ok(Self { passphrase, cost }) } else { Err(MALFORMED) }
    }

    /// Reads a file that only its owner can read; a newline at its end is no part of the passphrase.
    ///
    /// # Errors
    /// [`KeyFileError`]: it cannot be read, is open to other users, or holds something else.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let mut bytes = key_file::read(path)?;
        for end in [b'\n', b'\r'] {
            if bytes.last() == Some(&end) {
                bytes.pop();
            }
        }
        let (min, max) = (Self::CHARACTERS_MIN, Self::BYTES_MAX);
        Self::new(bytes).map_err(|_| KeyFileError::NoPassphrase { path: path.to_owned(), min, max })
    }

    /// Wraps at another cost. Unwrapping takes the cost that stands in the wrap.
    ///
    /// # Errors
    /// [`KeyError::OverCost`], or [`KeyError::Refused`] for a cost that nobody would unwrap.
    pub fn at_cost(mut self, cost: Argon2Cost) -> Result<Self, KeyError> {
        cost.params()?;
        self.cost = cost;
        Ok(self)
    }

    /// The kind that stands in wraps.
    pub const KIND: &'static str = "passphrase";
    /// The shortest passphrase: whoever has a file can guess without anybody noticing
    /// (NIST SP 800-63B-4 wants as many of a password that stands alone).
    pub const CHARACTERS_MIN: usize = 15;
    /// The longest one.
    pub const BYTES_MAX: usize = 512;

    pub(super) fn wrap_with(
        &self,
        dek: &Dek,
        file: &FileIdentity,
        salt: &Salt,
        id: &str,
    ) -> Result<Wrap, KeyError> {
        let kek = self.derive(salt, self.cost)?;
        let context = file.context(Self::KIND, id);
        let wrapped = wrapping::wrap_dek(&kek, salt, labels::AT_REST_PASSPHRASE, &context, dek)?;
        let number = |name: &str, number| (name.to_owned(), Parameter::Number(number));
        let parameters = BTreeMap::from([
            number(MEMORY_KIB, self.cost.memory_kib),
            number(PASSES, self.cost.passes),
            number(LANES, self.cost.lanes),
            wrap::salt_parameter(salt),
        ]);
        Wrap::new(Self::KIND, id, parameters, wrapped)
    }

    /// Argon2id, version 0x13, without secret and associated data, 32 bytes.
    fn derive(&self, salt: &Salt, cost: Argon2Cost) -> Result<Secret, KeyError> {
        let params = cost.params()?;
        let mut blocks = Blocks::new(params.block_count())?;
        let mut kek = Secret::from_bytes([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                &self.passphrase,
                salt,
                kek.expose_mut(),
                &mut blocks.0[..],
            )
            .map_err(|_| KeyError::Refused)?;
        Ok(kek)
    }
}

impl KekProvider for PassphraseKek {
    fn kind(&self) -> &str {
        Self::KIND
    }

    fn id(&self) -> Option<&str> {
        None
    }

    fn wrap(&self, dek: &Dek, file: &FileIdentity) -> Result<Wrap, KeyError> {
        let (salt, id) = (wrapping::fresh_salt()?, wrapping::fresh_salt()?);
        let (id, _) = id.split_at(16);
        self.wrap_with(dek, file, &salt, &hex::encode(id))
    }

    fn unwrap(&self, wrap: &Wrap, file: &FileIdentity) -> Result<Dek, KeyError> {
        let known = wrap.has_only(&["salt", MEMORY_KIB, PASSES, LANES]);
        let salt = wrap.salt().filter(|_| known).ok_or(KeyError::Refused)?;
        let number = |name| wrap.number(name).ok_or(KeyError::Refused);
        let cost = Argon2Cost {
            memory_kib: number(MEMORY_KIB)?,
            passes: number(PASSES)?,
            lanes: number(LANES)?,
        };
        let kek = self.derive(&salt, cost)?;
        let context = file.context(wrap.kind(), wrap.id());
        let label = labels::AT_REST_PASSPHRASE;
        wrapping::unwrap_dek(&kek, &salt, label, &context, wrap.wrapped())
    }
}

impl Argon2Cost {
    /// The most that a wrap may ask of whoever unwraps it.
    pub const MAX: Self = Self { memory_kib: 1 << 20, passes: 16, lanes: 4 };

    fn params(self) -> Result<Params, KeyError> {
        for (what, found, max) in [
            ("passphrase memory in kib", self.memory_kib, Self::MAX.memory_kib),
            ("passphrase passes", self.passes, Self::MAX.passes),
            ("passphrase lanes", self.lanes, Self::MAX.lanes),
        ] {
            if found > max {
                return Err(KeyError::OverCost { what, found, max });
            }
        }
        Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES))
            .map_err(|_| KeyError::Refused)
    }
}

/// Argon2's memory: asked for, not taken (a file names its size), and wiped.
struct Blocks(Zeroizing<Vec<Block>>);

impl Blocks {
    fn new(count: usize) -> Result<Self, KeyError> {
        let mut blocks = Zeroizing::new(Vec::new());
        blocks.try_reserve_exact(count).map_err(|_| KeyError::Memory("the passphrase"))?;
        blocks.resize(count, Block::new());
        Ok(Self(blocks))
    }
}

const MEMORY_KIB: &str = "memory_kib";
const PASSES: &str = "passes";
const LANES: &str = "lanes";
const MALFORMED: KeyError = KeyError::Malformed("passphrase");
