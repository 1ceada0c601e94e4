//! The layers of a network, and how their weights are stored.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::canonical;

/// A dense layer: `activation(input x weight + bias)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// How many values it gives.
    pub units: u32,
    /// What is done to each.
    pub activation: Activation,
}

/// What a layer does to each of its values, `x`; the formulas are those of ONNX.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Activation {
    /// Nothing.
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `x`, or `alpha x` where `x` is negative.
    LeakyRelu {
        /// The slope on the negative side.
        #[serde(with = "canonical::float")]
        alpha: f32,
    },
    /// `x`, or `alpha (exp(x) - 1)` where `x` is negative.
    Elu {
        /// Minus the limit on the negative side.
        #[serde(with = "canonical::float")]
        alpha: f32,
    },
    /// `gamma x`, or `gamma alpha (exp(x) - 1)` where `x` is negative, with the two constants of
    /// Klambauer et al. (2017).
    Selu,
    /// `x / 2 (1 + erf(x / sqrt(2)))`.
    Gelu,
    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
    GeluTanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `exp(x)` over the sum of all `exp(x)` of the row. In the last layer only.
    Softmax,
}

impl Activation {
    /// Its parameter, where it has one.
    #[must_use]
    pub const fn alpha(&self) -> Option<f32> {
        match self {
            Self::LeakyRelu { alpha } | Self::Elu { alpha } => Some(*alpha),
            _ => None,
        }
    }
}

/// As the manifest calls it, and its parameter in brackets.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear => f.write_str("linear"),
            Self::Relu => f.write_str("relu"),
            Self::LeakyRelu { alpha } => write!(f, "leaky_relu({alpha})"),
            Self::Elu { alpha } => write!(f, "elu({alpha})"),
            Self::Selu => f.write_str("selu"),
            Self::Gelu => f.write_str("gelu"),
            Self::GeluTanh => f.write_str("gelu_tanh"),
            Self::Sigmoid => f.write_str("sigmoid"),
            Self::Tanh => f.write_str("tanh"),
            Self::Softmax => f.write_str("softmax"),
        }
    }
}

/// How weights are stored: `layers.N.weight` is [inputs, units], row-major, and `layers.N.bias` is
/// FP32 [units]. Whatever the form, a parsed artifact holds them in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WeightFormat {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// Whole numbers from -127 to 127, each times the scale of its unit: `layers.N.scale`, FP32
    /// [units], greater than zero.
    Int8,
}

/// As the manifest calls it.
impl fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        })
    }
}
