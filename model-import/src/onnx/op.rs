//! What ONNX operators mean, in the vocabulary of the graph.
//!
//! Operators keep their names over the versions of the set; where an attribute became an input,
//! both are read.

use super::attributes::Attributes;
use crate::graph::{Linear, LinearEnd, Op, Scalar};
use crate::network::Activation;

/// `domain` is empty for the standard set.
pub(super) fn of(domain: &str, name: &str, attributes: &Attributes<'_>) -> Op {
    if attributes.has_graph() {
        return Op::Unknown;
    }
    match domain {
        CLASSICAL => classical(name, attributes),
        domain if is_known(domain) => standard(name, attributes),
        _ => Op::Unknown,
    }
}

/// Whether operators of a domain are those of the standard.
pub(super) fn is_known(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx" | CLASSICAL)
}

fn standard(name: &str, attributes: &Attributes<'_>) -> Op {
    let is_set = |name: &str| attributes.integer(name).unwrap_or(0) != 0;
    let axis = |default| attributes.integer("axis").unwrap_or(default);
    match name {
        "Gemm" if is_set("transA") => Op::Variant("transA"),
        "Gemm" => Op::Gemm {
            alpha: attributes.float("alpha").unwrap_or(1.0),
            beta: attributes.float("beta").unwrap_or(1.0),
            transpose_b: is_set("transB"),
        },
        "MatMul" => Op::MatMul,
        "Add" => Op::Add,
        "Sub" => Op::Sub,
        "Mul" => Op::Mul,
        "Div" => Op::Div,
        "BatchNormalization" if is_set("training_mode") => Op::Variant("training_mode"),
        "BatchNormalization" => {
            Op::BatchNorm { epsilon: attributes.float("epsilon").unwrap_or(1e-5) }
        }
        "Softmax" => Op::Softmax { axis: axis(-1) },
        "Cast" => cast(attributes),
        "Identity" | "Dropout" => Op::Identity,
        "Flatten" => Op::Flatten { axis: axis(1) },
        "Reshape" => Op::Reshape,
        "Squeeze" => Op::Squeeze { axes: attributes.integers("axes") },
        "Transpose" => Op::Transpose { permutation: attributes.integers("perm") },
        "Concat" => Op::Concat { axis: axis(1) },
        "Shape" if attributes.integer("start").unwrap_or(0) == 0 => Op::ShapeOf,
        "Gather" => Op::Gather,
        "Unsqueeze" => Op::Unsqueeze,
        "ArgMax" => Op::Label,
        _ => activation(name, attributes).map(Op::Activation).unwrap_or_else(|| scalar(name)),
    }
}

fn activation(name: &str, attributes: &Attributes<'_>) -> Option<Activation> {
    let alpha = |default| attributes.float("alpha").unwrap_or(default) as f32;
    let is = |name, expected| attributes.float(name).is_none_or(|given| close(given, expected));
    Some(match name {
        "Relu" => Activation::Relu,
        "LeakyRelu" => Activation::LeakyRelu { alpha: alpha(0.01) },
        "Elu" => Activation::Elu { alpha: alpha(1.0) },
        "Selu" if is("alpha", SELU_ALPHA) && is("gamma", SELU_GAMMA) => Activation::Selu,
        "Gelu" => match attributes.text("approximate") {
            None | Some(b"none") => Activation::Gelu,
            Some(b"tanh") => Activation::GeluTanh,
            Some(_) => return None,
        },
        "Sigmoid" => Activation::Sigmoid,
        "Tanh" => Activation::Tanh,
        _ => return None,
    })
}

fn scalar(name: &str) -> Op {
    Op::Scalar(match name {
        "Erf" => Scalar::Erf,
        "Exp" => Scalar::Exp,
        "Neg" => Scalar::Neg,
        "Pow" => Scalar::Pow,
        "Max" => Scalar::Max,
        "Min" => Scalar::Min,
        "Greater" => Scalar::Greater,
        "Less" => Scalar::Less,
        "Where" => Scalar::Where,
        _ => return Op::Unknown,
    })
}

/// The operators of classical machine learning.
fn classical(name: &str, attributes: &Attributes<'_>) -> Op {
    match name {
        "Scaler" => {
            Op::Scaler { offset: attributes.floats("offset"), scale: attributes.floats("scale") }
        }
        "LinearClassifier" => {
            let units = class_names(attributes, "ints").map_or(0, |names| names.len());
            Op::Linear(linear(attributes, units))
        }
        "LinearRegressor" => {
            let units = attributes.integer("targets").unwrap_or(1);
            Op::Linear(linear(attributes, usize::try_from(units).unwrap_or(0)))
        }
        "Normalizer" => match attributes.text("norm") {
            Some(b"L1") => Op::Normalise,
            _ => Op::Unknown,
        },
        "ZipMap" => Op::ZipMap { classes: class_names(attributes, "int64s") },
        "ArrayFeatureExtractor" => Op::LookUp,
        "Binarizer" => Op::Label,
        _ => Op::Unknown,
    }
}

fn linear(attributes: &Attributes<'_>, units: usize) -> Linear {
    let end = match attributes.text("post_transform") {
        None | Some(b"NONE") => LinearEnd::Nothing,
        Some(b"LOGISTIC") => LinearEnd::Logistic,
        Some(b"SOFTMAX") => LinearEnd::Softmax,
        Some(b"SOFTMAX_ZERO") => LinearEnd::Other("SOFTMAX_ZERO"),
        Some(b"PROBIT") => LinearEnd::Other("PROBIT"),
        Some(_) => LinearEnd::Other("that post_transform"),
    };
    Linear {
        coefficients: attributes.floats("coefficients"),
        intercepts: attributes.floats("intercepts"),
        units,
        end,
    }
}

/// The names of classes; where they are numbers, the attribute has one of two names.
pub(super) fn class_names(attributes: &Attributes<'_>, numbers: &str) -> Option<Vec<String>> {
    let texts = attributes.texts("classlabels_strings");
    let names = match texts.is_empty() {
        true => {
            let numbers = attributes.integers(&format!("classlabels_{numbers}"));
            numbers.unwrap_or_default().iter().map(ToString::to_string).collect()
        }
        false => texts,
    };
    Some(names).filter(|names| !names.is_empty())
}

/// To a floating-point number it changes nothing that 32 bits can hold; to an integer it does.
fn cast(attributes: &Attributes<'_>) -> Op {
    match attributes.integer("to") {
        Some(1 | 11) => Op::Identity,
        Some(10 | 16) => Op::Variant("16-bit numbers"),
        _ => Op::Label,
    }
}

fn close(given: f64, expected: f64) -> bool {
    (given - expected).abs() < 1e-4
}

const CLASSICAL: &str = "ai.onnx.ml";
/// The constants of Klambauer et al. (2017).
const SELU_ALPHA: f64 = 1.673_263_2;
const SELU_GAMMA: f64 = 1.050_701;
