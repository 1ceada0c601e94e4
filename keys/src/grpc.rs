//! What both ends of the hop must read alike in a message of `inference.GRPCInferenceService`: the
//! fields of protobuf's wire format, and which model a message names.
//!
//! The gateway decides by the name and reads nothing else; the worker compares the name with its
//! grant, by the same code, so that no message can name one model to each of them.

use crate::KeyError;

/// The path of the service; a method's name follows.
pub const SERVICE_PATH: &str = "/inference.GRPCInferenceService/";

/// The media type of its messages.
pub const MEDIA_TYPE: &str = "application/grpc";

/// Header field of a refusal in answer to such a message: one sentence.
pub const MESSAGE_HEADER: &str = "grpc-message";

/// The model and the version that a message names: fields 1 and 2 of every request about a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// The model.
    pub model: &'a str,
    /// The version; empty means none.
    pub version: Option<&'a str>,
}

impl<'a> Names<'a> {
    /// Finds them.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for a message that is no protobuf up to its end, names no model, or
    /// names one twice: of two, two readers may believe different ones.
    pub fn scan(message: &'a [u8]) -> Result<Self, KeyError> {
        let (mut model, mut version) = (None, None);
        for field in Fields(message) {
            let place = match field? {
                (MODEL_FIELD, value) => (&mut model, value),
                (VERSION_FIELD, value) => (&mut version, value),
                _ => continue,
            };
            if place.0.replace(place.1.text()?).is_some() {
                return Err(MALFORMED);
            }
        }
        let model = model.filter(|model| !model.is_empty()).ok_or(MALFORMED)?;
        Ok(Self { model, version: version.filter(|version| !version.is_empty()) })
    }

    /// The same message, but of another version.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] as [`Names::scan`], or for a version that is longer than a name may be.
    pub fn with_version(message: &[u8], version: &str) -> Result<Vec<u8>, KeyError> {
        let length = u8::try_from(version.len()).ok().filter(|length| *length < 0x80);
        let mut named = Vec::with_capacity(message.len().saturating_add(2 + version.len()));
        let mut fields = Fields(message);
        loop {
            let before = fields.0;
            let Some(field) = fields.next() else { break };
            let (number, _) = field?;
            let field = before.len().saturating_sub(fields.0.len());
            if number != VERSION_FIELD {
                named.extend_from_slice(before.get(..field).unwrap_or_default());
            }
        }
        named.extend_from_slice(&[VERSION_KEY, length.ok_or(MALFORMED)?]);
        named.extend_from_slice(version.as_bytes());
        Ok(named)
    }
}

/// The fields of one message, in order, without a copy. Ends at the first that is malformed.
pub struct Fields<'a>(pub &'a [u8]);

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer, a boolean or an enum, as 64 bits.
    Varint(u64),
    /// Eight bytes, little-endian.
    Fixed64([u8; 8]),
    /// A text, bytes, a message, or numbers one behind the other.
    Bytes(&'a [u8]),
    /// Four bytes, little-endian.
    Fixed32([u8; 4]),
}

impl<'a> Value<'a> {
    /// The bytes of a field that has some.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for a number.
    pub const fn bytes(self) -> Result<&'a [u8], KeyError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(MALFORMED),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else.
    pub fn text(self) -> Result<&'a str, KeyError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| MALFORMED)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), KeyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(MALFORMED))
    }
}

impl<'a> Fields<'a> {
    /// The next number of those that stand one behind the other.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] where none stands.
    pub fn varint(&mut self) -> Result<u64, KeyError> {
        self.integer().ok_or(MALFORMED)
    }

    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let key = u32::try_from(self.integer()?).ok()?;
        let value = match key & 7 {
            0 => Value::Varint(self.integer()?),
            1 => Value::Fixed64(self.chunk()?),
            2 => {
                let length = usize::try_from(self.integer()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(self.chunk()?),
            // Groups are older than the service.
            _ => return None,
        };
        let number = key >> 3;
        (number > 0).then_some((number, value))
    }

    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*chunk)
    }

    /// Seven bits to a byte, the lowest first, at most 64.
    fn integer(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

const MODEL_FIELD: u32 = 1;
const VERSION_FIELD: u32 = 2;
/// Number and kind of the field with a version.
const VERSION_KEY: u8 = 2 << 3 | 2;

const MALFORMED: KeyError = KeyError::Malformed("protobuf message");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    /// `model_name` "triage", `model_version` "3", `id` "7", and a field of each other kind.
    const MESSAGE: &[u8] =
        b"\x0a\x06triage\x12\x013\x1a\x017\xa0\x06\x96\x01\xa9\x06abcdefgh\xb5\x06abcd";

    #[test]
    fn the_names_stand_in_the_first_two_fields() {
        let names = Names { model: "triage", version: Some("3") };
        assert_eq!(Names::scan(MESSAGE).unwrap(), names);
        // Fields may stand in any order, and an empty version is none.
        let turned = Names::scan(b"\x12\x00\x0a\x06triage").unwrap();
        assert_eq!(turned, Names { model: "triage", version: None });
    }

    #[test]
    fn a_message_without_one_name_is_refused() {
        for message in [
            &b""[..],
            b"\x0a\x00",
            b"\x12\x013",
            b"\x0a\x01a\x0a\x01b",
            b"\x0a\x01a\x12\x01b\x12\x01b",
            b"\x08\x01",
            b"\x0a\x01\xff",
            b"\x0a\x01a\x0b",
            b"\x0a\x01a\x02\x00",
            b"\x0a\x01a\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\x0a\x01a\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a",
        ] {
            assert!(Names::scan(message).is_err(), "{message:?}");
        }
    }

    #[test]
    fn a_message_of_another_version_is_otherwise_the_same() {
        let named = Names::with_version(MESSAGE, "2026-11").unwrap();
        assert_eq!(
            Names::scan(&named).unwrap(),
            Names { model: "triage", version: Some("2026-11") }
        );
        let others = |message| -> Vec<_> {
            Fields(message).map(Result::unwrap).filter(|(number, _)| *number != 2).collect()
        };
        assert_eq!(others(&named), others(MESSAGE));
        assert!(Names::with_version(MESSAGE, &"v".repeat(128)).is_err());
        assert!(Names::with_version(&MESSAGE[..MESSAGE.len() - 1], "1").is_err());
    }

    #[test]
    fn the_values_are_read_as_they_were_written() {
        let values: Vec<_> = Fields(MESSAGE).map(Result::unwrap).skip(3).collect();
        let expected = [
            (100, Value::Varint(150)),
            (101, Value::Fixed64(*b"abcdefgh")),
            (102, Value::Fixed32(*b"abcd")),
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn no_cut_inside_a_field_is_taken_for_an_end() {
        let whole = Fields(MESSAGE).count();
        for end in 0..MESSAGE.len() {
            let fields: Vec<_> = Fields(&MESSAGE[..end]).collect();
            let ended_well = fields.iter().all(Result::is_ok);
            assert!(!ended_well || fields.len() < whole, "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_go_on_for_ever(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Names::scan(&bytes);
            prop_assert!(Fields(&bytes).count() <= bytes.len());
        }
    }
}
