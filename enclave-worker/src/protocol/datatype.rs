//! The datatypes of the Open Inference Protocol, and what of them a 32-bit float holds.

use half::{bf16, f16};

/// A numeric datatype. `BYTES` is none: this model's inputs are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datatype {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
}

/// What is wrong with one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// NaN, infinite, or beyond what 32 bits hold.
    NotFinite,
    /// An integer that no 32-bit float is equal to.
    Inexact,
    /// Not a value of its datatype.
    NotOfType,
}

impl Datatype {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "BOOL" => Self::Bool,
            "INT8" => Self::Int8,
            "INT16" => Self::Int16,
            "INT32" => Self::Int32,
            "INT64" => Self::Int64,
            "UINT8" => Self::Uint8,
            "UINT16" => Self::Uint16,
            "UINT32" => Self::Uint32,
            "UINT64" => Self::Uint64,
            "FP16" => Self::Fp16,
            "BF16" => Self::Bf16,
            "FP32" => Self::Fp32,
            "FP64" => Self::Fp64,
            _ => return None,
        })
    }

    /// The bytes of one number in a binary tensor.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Bool | Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 | Self::Fp16 | Self::Bf16 => 2,
            Self::Int32 | Self::Uint32 | Self::Fp32 => 4,
            Self::Int64 | Self::Uint64 | Self::Fp64 => 8,
        }
    }

    /// Reads little-endian numbers; `push` gets each, and says whether to go on. Bytes beyond the
    /// last whole number are not read: lengths are compared before.
    pub(super) fn read<E>(
        self,
        bytes: &[u8],
        mut push: impl FnMut(Result<f32, Unfit>) -> Result<(), E>,
    ) -> Result<(), E> {
        macro_rules! each {
            ($bytes:literal, $convert:expr) => {{
                let (numbers, _) = bytes.as_chunks::<$bytes>();
                numbers.iter().try_for_each(|&le| push($convert(le)))
            }};
        }
        match self {
            Self::Bool => each!(1, |le: [u8; 1]| boolean(le[0])),
            Self::Int8 => each!(1, |le| Ok(f32::from(i8::from_le_bytes(le)))),
            Self::Int16 => each!(2, |le| Ok(f32::from(i16::from_le_bytes(le)))),
            Self::Int32 => each!(4, |le| integer(i32::from_le_bytes(le).into())),
            Self::Int64 => each!(8, |le| integer(i64::from_le_bytes(le).into())),
            Self::Uint8 => each!(1, |le| Ok(f32::from(u8::from_le_bytes(le)))),
            Self::Uint16 => each!(2, |le| Ok(f32::from(u16::from_le_bytes(le)))),
            Self::Uint32 => each!(4, |le| integer(u32::from_le_bytes(le).into())),
            Self::Uint64 => each!(8, |le| integer(u64::from_le_bytes(le).into())),
            Self::Fp16 => each!(2, |le| finite(f16::from_le_bytes(le).to_f32())),
            Self::Bf16 => each!(2, |le| finite(bf16::from_le_bytes(le).to_f32())),
            Self::Fp32 => each!(4, |le| finite(f32::from_le_bytes(le))),
            Self::Fp64 => each!(8, |le| narrowed(f64::from_le_bytes(le))),
        }
    }

    /// Whether a number that stood in JSON, and that 32 bits hold, is a value of this datatype. A
    /// fraction is the nearest one: decimal text has no width.
    pub(super) fn holds(self, value: f32) -> bool {
        let whole = |least: f32, most: f32| value.fract() == 0.0 && least <= value && value < most;
        match self {
            Self::Bool => value == 0.0 || value == 1.0,
            Self::Int8 => whole(-128.0, 128.0),
            Self::Int16 => whole(-32_768.0, 32_768.0),
            Self::Int32 => whole(-TWO_31, TWO_31),
            Self::Int64 => whole(-TWO_63, TWO_63),
            Self::Uint8 => whole(0.0, 256.0),
            Self::Uint16 => whole(0.0, 65_536.0),
            Self::Uint32 => whole(0.0, 2.0 * TWO_31),
            Self::Uint64 => whole(0.0, 2.0 * TWO_63),
            Self::Fp16 => value.abs() <= f16::MAX.to_f32(),
            Self::Bf16 | Self::Fp32 | Self::Fp64 => true,
        }
    }

    /// Whether its numbers are counts or codes, which rounding would turn into other ones.
    pub(super) const fn is_whole(self) -> bool {
        !matches!(self, Self::Fp16 | Self::Bf16 | Self::Fp32 | Self::Fp64)
    }
}

const TWO_31: f32 = 2_147_483_648.0;
const TWO_63: f32 = 9_223_372_036_854_775_808.0;

const fn boolean(byte: u8) -> Result<f32, Unfit> {
    match byte {
        0 => Ok(0.0),
        1 => Ok(1.0),
        _ => Err(Unfit::NotOfType),
    }
}

const fn finite(value: f32) -> Result<f32, Unfit> {
    if value.is_finite() { Ok(value) } else { Err(Unfit::NotFinite) }
}

/// The nearest 32-bit float: as a decimal in JSON is read.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "too large becomes infinite and is refused")]
pub(super) const fn narrowed(value: f64) -> Result<f32, Unfit> {
    finite(value as f32)
}

/// The 32-bit float that is equal to an integer of at most 64 bits, if there is one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "what is lost is seen on the way back"
)]
pub(super) fn integer(value: i128) -> Result<f32, Unfit> {
    if let Ok(small) = i32::try_from(value)
        && small.unsigned_abs() <= 1 << 24
    {
        return Ok(small as f32);
    }
    let float = value as f32;
    if float as i128 == value { Ok(float) } else { Err(Unfit::Inexact) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    fn read(name: &str, bytes: &[u8]) -> Result<Vec<f32>, Unfit> {
        let mut values = Vec::new();
        let datatype = Datatype::parse(name).unwrap();
        datatype.read(bytes, |value| value.map(|value| values.push(value)))?;
        Ok(values)
    }

    #[test]
    fn each_datatype_reads_its_little_endian_numbers() {
        for (name, bytes, expected) in [
            ("BOOL", &[1, 0][..], [1.0, 0.0]),
            ("INT8", &[0xff, 0x80], [-1.0, -128.0]),
            ("UINT8", &[0xff, 0x80], [255.0, 128.0]),
            ("INT16", &[0xff, 0xff, 0, 0x80], [-1.0, -32_768.0]),
            ("UINT16", &[0xff, 0xff, 1, 0], [65_535.0, 1.0]),
            ("INT32", &[0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0x80], [-2.0, -2_147_483_648.0]),
            ("UINT32", &[2, 0, 0, 0, 0, 0, 0, 0x80], [2.0, 2_147_483_648.0]),
            ("FP16", &[0x00, 0x3c, 0x01, 0x00], [1.0, 5.960_464_5e-8]),
            ("BF16", &[0x80, 0x3f, 0x49, 0x40], [1.0, 3.140_625]),
            ("FP32", &[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0], [1.0, -2.0]),
        ] {
            assert_eq!(read(name, bytes), Ok(expected.to_vec()), "{name}");
            assert_eq!(bytes.len(), 2 * Datatype::parse(name).unwrap().bytes(), "{name}");
        }
        let wide: Vec<u8> = [0.1f64, -3.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(read("FP64", &wide), Ok(vec![0.1, -3.0]));
        let wide: Vec<u8> = [-5i64, 1 << 62].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(read("INT64", &wide), Ok(vec![-5.0, 4_611_686_018_427_387_904.0]));
        let wide: Vec<u8> = [5u64, 1 << 63].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(read("UINT64", &wide), Ok(vec![5.0, 9_223_372_036_854_775_808.0]));
    }

    #[test]
    fn what_is_no_number_of_its_datatype_is_refused() {
        for (name, bytes, unfit) in [
            ("BOOL", vec![2], Unfit::NotOfType),
            ("INT32", 16_777_217i32.to_le_bytes().to_vec(), Unfit::Inexact),
            ("UINT32", u32::MAX.to_le_bytes().to_vec(), Unfit::Inexact),
            ("INT64", i64::MAX.to_le_bytes().to_vec(), Unfit::Inexact),
            ("UINT64", u64::MAX.to_le_bytes().to_vec(), Unfit::Inexact),
            ("FP16", vec![0x00, 0x7c], Unfit::NotFinite),
            ("BF16", vec![0x81, 0x7f], Unfit::NotFinite),
            ("FP32", f32::NAN.to_le_bytes().to_vec(), Unfit::NotFinite),
            ("FP64", 1e39f64.to_le_bytes().to_vec(), Unfit::NotFinite),
        ] {
            assert_eq!(read(name, &bytes), Err(unfit), "{name}");
        }
    }

    #[test]
    fn text_and_unknown_names_are_no_numbers() {
        for name in ["BYTES", "fp32", "", "FP8", "TYPE_FP32"] {
            assert_eq!(Datatype::parse(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn an_integer_is_taken_exactly_or_not_at_all(value in any::<i64>(), shift in 0u32..64) {
            let value = value >> shift;
            match integer(value.into()) {
                Ok(float) => prop_assert_eq!(float as i128, i128::from(value)),
                Err(_) => prop_assert!(value.unsigned_abs() > 1 << 24),
            }
        }
    }
}
