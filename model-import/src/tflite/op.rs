//! What TFLite operators mean, in the vocabulary of the graph.
//!
//! Numbers are those of `BuiltinOperator` and of the fields of its options in the schema.

use super::flat::{Table, damaged};
use crate::ImportError;
use crate::graph::{Op, Scalar};
use crate::network::Activation;

/// An operator, and the activation that is fused into it.
pub(super) struct Meaning {
    pub(super) name: String,
    pub(super) op: Op,
    pub(super) fused: Option<Op>,
}

pub(super) fn of(code: i32, options: Option<Table<'_>>) -> Result<Meaning, ImportError> {
    let float = |field| options.map_or(Ok(0.0), |options| options.f32(field));
    let byte = |field| options.map_or(Ok(0), |options| options.byte(field));
    let activation = |name, activation| (name, Op::Activation(activation));
    let (name, op) = match code {
        0 => ("ADD", Op::Add),
        2 => ("CONCATENATION", Op::Concat { axis: options.map_or(Ok(0), |o| o.i32(0))?.into() }),
        6 => ("DEQUANTIZE", Op::Round),
        9 if byte(1)? != 0 => ("FULLY_CONNECTED", Op::Variant("shuffled weights")),
        9 => ("FULLY_CONNECTED", Op::Gemm { alpha: 1.0, beta: 1.0, transpose_b: true }),
        14 => activation("LOGISTIC", Activation::Sigmoid),
        18 => ("MUL", Op::Mul),
        19 => activation("RELU", Activation::Relu),
        21 => ("RELU6", Op::Unknown),
        22 => ("RESHAPE", Op::Reshape),
        25 if float(0)? != 1.0 => ("SOFTMAX", Op::Variant("a beta other than 1")),
        25 => ("SOFTMAX", Op::Softmax { axis: -1 }),
        28 => activation("TANH", Activation::Tanh),
        39 => ("TRANSPOSE", Op::Unknown),
        41 => ("SUB", Op::Sub),
        42 => ("DIV", Op::Div),
        43 => ("SQUEEZE", Op::Squeeze { axes: Some(squeezed(options)?) }),
        47 => ("EXP", Op::Scalar(Scalar::Exp)),
        53 => ("CAST", Op::Unknown),
        55 => ("MAXIMUM", Op::Scalar(Scalar::Max)),
        56 => ("ARG_MAX", Op::Label),
        57 => ("MINIMUM", Op::Scalar(Scalar::Min)),
        58 => ("LESS", Op::Scalar(Scalar::Less)),
        59 => ("NEG", Op::Scalar(Scalar::Neg)),
        61 => ("GREATER", Op::Scalar(Scalar::Greater)),
        64 => ("SELECT", Op::Scalar(Scalar::Where)),
        78 => ("POW", Op::Scalar(Scalar::Pow)),
        98 => activation("LEAKY_RELU", Activation::LeakyRelu { alpha: float(0)? }),
        111 => activation("ELU", Activation::Elu { alpha: 1.0 }),
        114 => ("QUANTIZE", Op::Round),
        123 => ("SELECT_V2", Op::Scalar(Scalar::Where)),
        150 if byte(0)? != 0 => activation("GELU", Activation::GeluTanh),
        150 => activation("GELU", Activation::Gelu),
        _ => return Ok(Meaning { name: format!("builtin {code}"), op: Op::Unknown, fused: None }),
    };
    let fused = match code {
        0 | 9 | 18 | 41 | 42 => fused(byte(0)?)?,
        2 => fused(byte(1)?)?,
        _ => None,
    };
    Ok(Meaning { name: name.to_owned(), op, fused })
}

/// `ActivationFunctionType`.
fn fused(number: u8) -> Result<Option<Op>, ImportError> {
    Ok(Some(match number {
        0 => return Ok(None),
        1 => Op::Activation(Activation::Relu),
        2 => Op::Variant("relu between -1 and 1"),
        3 => Op::Variant("relu up to 6"),
        4 => Op::Activation(Activation::Tanh),
        5 => Op::Variant("the sign bit"),
        _ => return Err(damaged("an activation has an unknown number")),
    }))
}

fn squeezed(options: Option<Table<'_>>) -> Result<Vec<i64>, ImportError> {
    let axes = options.map_or(Ok(vec![]), |options| options.integers(0))?;
    Ok(axes.into_iter().map(i64::from).collect())
}
