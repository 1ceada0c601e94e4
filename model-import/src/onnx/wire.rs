//! The protobuf wire format: fields of a message, one by one, borrowed from the file.

use crate::error::shown;
use crate::{Format, ImportError};

/// The fields of one message. Ends after the first mistake.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// What a field holds; what it means is its message's business.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Fields<'a> {
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u32, Field<'a>), ImportError> {
        let key = varint(&mut self.rest)?;
        let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let number = number.ok_or(damaged("a field has no number"))?;
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut self.rest)?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).unwrap_or(usize::MAX);
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(damaged(CUT))?;
                self.rest = rest;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(damaged("a field is of an unknown kind")),
        };
        Ok((number, field))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ImportError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(damaged(CUT))?;
        self.rest = rest;
        Ok(*bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], ImportError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(damaged("a field is of another kind than its number says")),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, ImportError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| damaged("a name is not UTF-8"))
    }

    /// One text of a repeated field, as it may be shown.
    pub(super) fn texts(self, all: &mut Vec<String>, max: usize) -> Result<(), ImportError> {
        push(all, shown(&String::from_utf8_lossy(self.bytes()?)), max)
    }

    pub(super) fn integer(self) -> Result<i64, ImportError> {
        match self {
            Self::Varint(value) => Ok(value as i64),
            _ => Err(damaged("a field is of another kind than its number says")),
        }
    }

    pub(super) fn float(self) -> Result<f64, ImportError> {
        match self {
            Self::Fixed32(bits) => Ok(f64::from(f32::from_bits(bits))),
            _ => Err(damaged("a field is of another kind than its number says")),
        }
    }

    /// Integers of a repeated field: packed, or one a field.
    pub(super) fn integers(self, all: &mut Vec<i64>, max: usize) -> Result<(), ImportError> {
        let Self::Bytes(mut packed) = self else {
            return push(all, self.integer()?, max);
        };
        while !packed.is_empty() {
            push(all, varint(&mut packed)? as i64, max)?;
        }
        Ok(())
    }

    /// Likewise, of 32-bit floating-point numbers.
    pub(super) fn floats(self, all: &mut Vec<f64>, max: usize) -> Result<(), ImportError> {
        let Self::Bytes(packed) = self else {
            return push(all, self.float()?, max);
        };
        let (words, rest) = packed.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(damaged(CUT));
        }
        words.iter().try_for_each(|word| push(all, f64::from(f32::from_le_bytes(*word)), max))
    }

    /// Likewise, of 64-bit ones.
    pub(super) fn doubles(self, all: &mut Vec<f64>, max: usize) -> Result<(), ImportError> {
        let packed = match self {
            Self::Bytes(packed) => packed,
            Self::Fixed64(bits) => return push(all, f64::from_bits(bits), max),
            _ => return Err(damaged("a field is of another kind than its number says")),
        };
        let (words, rest) = packed.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(damaged(CUT));
        }
        words.iter().try_for_each(|word| push(all, f64::from_le_bytes(*word), max))
    }
}

fn push<T>(all: &mut Vec<T>, value: T, max: usize) -> Result<(), ImportError> {
    if all.len() >= max {
        return Err(ImportError::Limit { what: "values in a list", max });
    }
    all.push(value);
    Ok(())
}

/// At most ten bytes, seven bits each, the lowest first.
fn varint(rest: &mut &[u8]) -> Result<u64, ImportError> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (&byte, after) = rest.split_first().ok_or(damaged(CUT))?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        if place == 9 && bits > 1 {
            break;
        }
        value |= bits << (7 * place);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(damaged("a number has more than 64 bits"))
}

pub(super) const fn damaged(what: &'static str) -> ImportError {
    ImportError::Damaged { format: Format::Onnx, what }
}

const CUT: &str = "it ends too early";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::{Field, Fields};

    #[test]
    fn each_kind_of_field_is_read() {
        let bytes = [8, 0x96, 1, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f];
        let fields: Vec<_> = Fields::of(&bytes).collect::<Result<_, _>>().unwrap();
        let one = 1.0_f32.to_bits();
        let expected =
            [(1, Field::Varint(150)), (2, Field::Bytes(b"hi")), (3, Field::Fixed32(one))];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        for length in [3, 0x7f] {
            assert!(Fields::of(&[0x12, length, b'h', b'i']).any(|field| field.is_err()));
        }
        let huge = [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert!(Fields::of(&huge).any(|field| field.is_err()));
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_refused() {
        let most = [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(Fields::of(&most).next().unwrap().unwrap(), (1, Field::Varint(u64::MAX)));
        let mut more = most;
        more[10] = 2;
        assert!(Fields::of(&more).next().unwrap().is_err());
    }

    #[test]
    fn groups_and_field_zero_are_refused() {
        for key in [0x0b, 0x0c, 0x0e, 0x0f, 0x00, 0x02] {
            assert!(Fields::of(&[key, 0]).next().unwrap().is_err(), "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(Fields::of(&bytes).count() <= bytes.len() + 1);
        }
    }
}
