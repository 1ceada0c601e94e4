//! What an import gives.

use std::fmt;

/// A multi-layer perceptron, as another framework made it.
///
/// Its numbers are finite, its layers fit each other, and there is at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// What kind of file it came from.
    pub format: Format,
    /// What wrote the file, as the file says; empty where it says nothing.
    pub producer: String,
    /// The names of the features, where the file names every one.
    pub features: Option<Vec<String>>,
    /// What is done to raw values before the first layer.
    pub standardisation: Option<Standardisation>,
    /// From the input to the answer.
    pub layers: Vec<Layer>,
    /// What the answer is.
    pub head: Head,
    /// The names of the classes in their order, where the file names them.
    pub classes: Option<Vec<String>>,
    /// Whether the file's own arithmetic rounds activations to 8 bits, which this one does not.
    pub rounds_activations: bool,
}

impl Network {
    /// How many values a row has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs)
    }

    /// How many values an answer has.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Layer::units)
    }
}

/// `activation(input x weight + bias)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// How many values go in.
    pub inputs: usize,
    /// Row-major, of shape [inputs, units].
    pub weight: Vec<f32>,
    /// Of shape [units].
    pub bias: Vec<f32>,
    /// What is done to each sum.
    pub activation: Activation,
}

impl Layer {
    /// How many values come out.
    #[must_use]
    pub fn units(&self) -> usize {
        self.bias.len()
    }
}

/// `(value - mean) / std`, feature by feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardisation {
    /// What is taken off each feature.
    pub mean: Vec<f32>,
    /// What each is then divided by, greater than zero.
    pub std: Vec<f32>,
}

/// What a layer does to its sums.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// Nothing.
    Linear,
    /// The value, or zero where it is negative.
    Relu,
    /// The value, or `alpha` times it where it is negative.
    LeakyRelu {
        /// The slope below zero.
        alpha: f32,
    },
    /// The value, or `alpha (exp(value) - 1)` where it is negative.
    Elu {
        /// How far below zero it reaches.
        alpha: f32,
    },
    /// Scaled ELU with the constants of Klambauer et al. (2017).
    Selu,
    /// `value / 2 (1 + erf(value / sqrt 2))`.
    Gelu,
    /// GELU by way of tanh.
    GeluTanh,
    /// `1 / (1 + exp(-value))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `exp(value)`, divided by the sum over the layer; only in the last one.
    Softmax,
}

/// What the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Head {
    /// The probability of the second of two classes.
    Binary,
    /// The probability of each class.
    Multiclass,
    /// The probability of each label.
    Multilabel,
    /// Values.
    Regression,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Open Neural Network Exchange.
    Onnx,
    /// TensorFlow Lite, now LiteRT.
    Tflite,
    /// The weights of a PyTorch Sequential.
    Safetensors,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Onnx => "ONNX",
            Self::Tflite => "TFLite",
            Self::Safetensors => "safetensors",
        })
    }
}
