use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::wrapping::Salt;
use crate::{Base64, KeyError, canonical};

/// A file's DEK under one KEK. The fields stand in the order of their names.
///
/// Kinds that this build does not know are read and kept: a file may be sealed for a key file and
/// for hardware that is elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrap {
    id: String,
    kind: String,
    parameters: BTreeMap<String, Parameter>,
    wrapped: Base64,
}

/// What a provider needs besides its KEK to unwrap: a salt, a cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parameter {
    /// A number.
    Number(u32),
    /// Words, or bytes in base64.
    Text(String),
}

impl Wrap {
    /// A provider's result.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for names that are not of the characters that wraps have, or for
    /// more than a wrap may hold.
    pub fn new(
        kind: &str,
        id: &str,
        parameters: BTreeMap<String, Parameter>,
        wrapped: Vec<u8>,
    ) -> Result<Self, KeyError> {
        let (id, kind) = (id.to_owned(), kind.to_owned());
        let wrap = Self { id, kind, parameters, wrapped: Base64(wrapped) };
        if wrap.is_bounded() { Ok(wrap) } else { Err(KeyError::Malformed(WHAT)) }
    }

    /// The public id of the KEK.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What sort of KEK it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// A number among the parameters.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        match self.parameters.get(name) {
            Some(Parameter::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Words among the parameters.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.parameters.get(name) {
            Some(Parameter::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The wrapped DEK, as its provider made it.
    #[must_use]
    pub fn wrapped(&self) -> &[u8] {
        &self.wrapped.0
    }

    /// Whether it has these parameters and no others; a provider reads nothing it did not write.
    pub(super) fn has_only(&self, names: &[&str]) -> bool {
        self.parameters.len() == names.len()
            && names.iter().all(|name| self.parameters.contains_key(*name))
    }

    /// Its salt, of the kinds that have one.
    pub(super) fn salt(&self) -> Option<Salt> {
        self.text(SALT).and_then(Base64::decode).and_then(|salt| salt.0.try_into().ok())
    }

    /// Everything in a wrap can be printed: a hostile file moves no cursor.
    fn is_bounded(&self) -> bool {
        let parameter = |(name, value): (&String, &Parameter)| {
            let text = match value {
                Parameter::Number(_) => "",
                Parameter::Text(text) => text,
            };
            is_name(name, 1, 32) && is_name(text, 0, 256)
        };
        is_name(&self.id, 1, 128)
            && is_name(&self.kind, 1, 32)
            && self.parameters.len() <= PARAMETERS_MAX
            && self.parameters.iter().all(parameter)
            && (1..=WRAPPED_BYTES_MAX).contains(&self.wrapped.0.len())
    }
}

pub(super) fn salt_parameter(salt: &Salt) -> (String, Parameter) {
    (SALT.to_owned(), Parameter::Text(Base64(salt.to_vec()).encode()))
}

/// Refuses a number of KEKs that no file may have.
pub(super) fn count(found: usize) -> Result<(), KeyError> {
    match found {
        1..=WRAPS_MAX => Ok(()),
        _ => Err(KeyError::Keks { found, max: WRAPS_MAX }),
    }
}

pub(super) fn encode(wraps: &[Wrap]) -> Result<Vec<u8>, KeyError> {
    count(wraps.len())?;
    let bytes = canonical::encode(&wraps);
    match bytes.len() {
        0..=WRAPS_BYTES_MAX => Ok(bytes),
        bytes => Err(KeyError::TooLarge { what: WHAT, bytes, max: WRAPS_BYTES_MAX }),
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Wrap>, KeyError> {
    let wraps: Vec<Wrap> = canonical::decode(bytes, WRAPS_BYTES_MAX, WHAT)?;
    let well = (1..=WRAPS_MAX).contains(&wraps.len()) && wraps.iter().all(Wrap::is_bounded);
    if well { Ok(wraps) } else { Err(KeyError::Malformed(WHAT)) }
}

/// Graphic ASCII without what JSON escapes, or a terminal or a message quotes with.
fn is_name(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\`".contains(&byte))
}

/// KEKs of one file: two epochs that overlap, another site, an escrow, and room.
pub const WRAPS_MAX: usize = 8;
pub(super) const WRAPS_BYTES_MAX: usize = 16 << 10;
const PARAMETERS_MAX: usize = 8;
const WRAPPED_BYTES_MAX: usize = 1 << 10;
const SALT: &str = "salt";
const WHAT: &str = "list of wrapped keys";
