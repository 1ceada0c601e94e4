//! Numbers as files hold them, widened to 64 bits without loss.

use half::{bf16, f16};

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    F16,
    Bf16,
    F32,
    F64,
    I8,
    U8,
    I32,
    I64,
}

impl Stored {
    /// The bytes of one.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    pub(crate) const fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }
}

/// Little-endian floating-point numbers; bytes that make no whole one at the end are left.
pub(crate) fn floats(stored: Stored, bytes: &[u8]) -> Vec<f64> {
    match stored {
        Stored::F16 => each(bytes, |word| f16::from_le_bytes(word).to_f64()),
        Stored::Bf16 => each(bytes, |word| bf16::from_le_bytes(word).to_f64()),
        Stored::F32 => each(bytes, |word| f64::from(f32::from_le_bytes(word))),
        Stored::F64 => each(bytes, f64::from_le_bytes),
        _ => integers(stored, bytes).into_iter().map(|value| value as f64).collect(),
    }
}

/// Little-endian integers; of floating-point numbers, none.
pub(crate) fn integers(stored: Stored, bytes: &[u8]) -> Vec<i64> {
    match stored {
        Stored::I8 => each(bytes, |word| i64::from(i8::from_le_bytes(word))),
        Stored::U8 => each(bytes, |word| i64::from(u8::from_le_bytes(word))),
        Stored::I32 => each(bytes, |word| i64::from(i32::from_le_bytes(word))),
        Stored::I64 => each(bytes, i64::from_le_bytes),
        _ => vec![],
    }
}

fn each<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|word| number(*word)).collect()
}
