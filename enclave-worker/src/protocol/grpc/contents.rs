//! `InferTensorContents`: a list of numbers for each width, of which a tensor fills one.

use sealgate_keys::grpc::{Fields, Value};

use super::malformed;
use crate::protocol::Refusal;
use crate::protocol::datatype::Datatype;
use crate::protocol::numbers::Numbers;

/// Reads the numbers of a tensor that has begun.
pub(super) fn read(
    contents: &[u8],
    datatype: Datatype,
    numbers: &mut Numbers<'_>,
) -> Result<(), Refusal> {
    let (name, number) = list(datatype);
    for field in Fields(contents) {
        let (found, value) = field.map_err(malformed)?;
        if Some(found) != number {
            return Err(Refusal::ContentsUnlike { datatype: name });
        }
        match value {
            Value::Bytes(packed) => all(packed, datatype, numbers)?,
            Value::Varint(value) => integer(value, datatype, numbers)?,
            Value::Fixed32(le) => numbers.push_f64(f32::from_le_bytes(le).into())?,
            Value::Fixed64(le) => numbers.push_f64(f64::from_le_bytes(le))?,
        }
    }
    Ok(())
}

/// The datatype's name, and the field that its numbers belong into. Floats of 16 bits have none.
const fn list(datatype: Datatype) -> (&'static str, Option<u32>) {
    match datatype {
        Datatype::Bool => ("BOOL", Some(1)),
        Datatype::Int8 => ("INT8", Some(2)),
        Datatype::Int16 => ("INT16", Some(2)),
        Datatype::Int32 => ("INT32", Some(2)),
        Datatype::Int64 => ("INT64", Some(3)),
        Datatype::Uint8 => ("UINT8", Some(4)),
        Datatype::Uint16 => ("UINT16", Some(4)),
        Datatype::Uint32 => ("UINT32", Some(4)),
        Datatype::Uint64 => ("UINT64", Some(5)),
        Datatype::Fp32 => ("FP32", Some(6)),
        Datatype::Fp64 => ("FP64", Some(7)),
        Datatype::Fp16 => ("FP16", None),
        Datatype::Bf16 => ("BF16", None),
    }
}

/// Numbers one behind the other.
fn all(packed: &[u8], datatype: Datatype, numbers: &mut Numbers<'_>) -> Result<(), Refusal> {
    match datatype {
        Datatype::Fp32 | Datatype::Fp64 if !packed.len().is_multiple_of(datatype.bytes()) => {
            Err(Refusal::BodyNotProtobuf)
        }
        Datatype::Fp32 => packed
            .as_chunks::<4>()
            .0
            .iter()
            .try_for_each(|le| numbers.push_f64(f32::from_le_bytes(*le).into())),
        Datatype::Fp64 => packed
            .as_chunks::<8>()
            .0
            .iter()
            .try_for_each(|le| numbers.push_f64(f64::from_le_bytes(*le))),
        _ => {
            let mut rest = Fields(packed);
            while !rest.0.is_empty() {
                integer(rest.varint().map_err(malformed)?, datatype, numbers)?;
            }
            Ok(())
        }
    }
}

/// Protobuf writes negative numbers as 64 bits in two's complement.
fn integer(value: u64, datatype: Datatype, numbers: &mut Numbers<'_>) -> Result<(), Refusal> {
    match datatype {
        Datatype::Bool => numbers.push_bool(value != 0),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 | Datatype::Uint64 => {
            numbers.push_integer(value.into())
        }
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 | Datatype::Int64 => {
            numbers.push_integer(value.cast_signed().into())
        }
        _ => Err(Refusal::BodyNotProtobuf),
    }
}
