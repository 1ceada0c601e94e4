//! What an artifact says about itself.
//!
//! Everything a caller, a reviewer or another tool needs to know stands here and nowhere else:
//! the shape of the network, the meaning of its inputs and of its answer, and where it came from.
//! There is no time and no path in it, so that the same training gives the same file.

mod check;

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::{Digest, ModelError};

pub(crate) use check::parameter_bytes;
pub use check::{DEPTH_MAX, WIDTH_MAX};

/// The version of the manifest's form that this crate reads and writes.
pub const FORMAT: u32 = 1;

/// The description of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// The model's name: 1 to 64 of `a-z 0-9 . _ -`.
    pub name: String,
    /// The dense layers, from the input to the answer.
    pub architecture: Vec<Dense>,
    /// How the weights are stored.
    pub weights: WeightFormat,
    /// The name of the input tensor, FP32 of shape [-1, number of features].
    pub input: String,
    /// The name of the output tensor, FP32 of shape [-1, units of the last layer].
    pub output: String,
    /// The columns of the input, in order.
    pub features: Vec<Feature>,
    /// What is done to raw values before the first layer; clients never do it themselves.
    pub standardisation: Option<Standardisation>,
    /// What the answer means.
    pub task: Task,
    /// Where the weights came from.
    pub provenance: Provenance,
}

impl Manifest {
    /// The digest of what a caller relies on: name and meaning of every input and of the answer.
    /// Two versions of a model with the same schema digest can stand in for each other.
    ///
    /// # Errors
    ///
    /// When the manifest cannot be written as JSON.
    pub fn schema_digest(&self) -> Result<Digest, ModelError> {
        #[derive(Serialize)]
        struct Schema<'a> {
            features: Vec<[&'a str; 2]>,
            input: &'a str,
            output: &'a str,
            task: &'a Task,
        }
        let text = canonical::to_string(&Schema {
            features: self.features.iter().map(|f| [f.name.as_str(), f.unit.as_str()]).collect(),
            input: &self.input,
            output: &self.output,
            task: &self.task,
        })
        .map_err(ModelError::Manifest)?;
        Ok(Digest::of(text.as_bytes()))
    }

    /// How many values the model answers per row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.architecture.last().map_or(0, |layer| layer.units as usize)
    }
}

/// A dense layer: `activation(input x weight + bias)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// How many values it gives.
    pub units: u32,
    /// What is done to each.
    pub activation: Activation,
}

/// What a layer does to each of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Activation {
    /// Nothing.
    Linear,
    /// The value, or zero where it is negative.
    Relu,
    /// `1 / (1 + exp(-value))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum WeightFormat {
    /// IEEE 754 single precision, row-major: `layers.N.weight` is [inputs, units], `layers.N.bias`
    /// is [units].
    F32,
}

/// One column of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Its name, unique in the model.
    pub name: String,
    /// Its unit; `1` where there is none.
    pub unit: String,
    /// The smallest and the largest value seen in training.
    #[serde(with = "canonical::pair")]
    pub range: [f32; 2],
}

/// `(value - mean) / std`, feature by feature, fitted on the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardisation {
    /// The mean of each feature.
    #[serde(with = "canonical::list")]
    pub mean: Vec<f32>,
    /// The standard deviation of each feature, greater than zero.
    #[serde(with = "canonical::list")]
    pub std: Vec<f32>,
}

/// What the answer means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Task {
    /// The probability of one of two classes.
    Binary {
        /// Both classes, the negative one first.
        classes: [String; 2],
        /// The class whose probability is answered.
        positive: String,
    },
}

/// Where the weights came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Provenance {
    /// Trained by Sealgate; these values and the data give the same file again.
    Trained {
        /// What it was trained on.
        dataset: DataSource,
        /// What drew the first weights and the order of the rows.
        seed: u32,
        /// How often each row was seen.
        epochs: u32,
        /// How the weights were moved.
        optimiser: Optimiser,
        /// What computed it.
        engine: Engine,
    },
}

/// What a model was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// Its name.
    pub name: String,
    /// The digest of the file as it was read.
    pub sha256: Digest,
    /// How many of its rows were trained on.
    pub rows: u32,
}

/// How the weights were moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimiser {
    /// Its name.
    pub name: String,
    /// The step size.
    #[serde(with = "canonical::float")]
    pub learning_rate: f32,
    /// How many rows a step looks at.
    pub batch_rows: u32,
}

/// What computed the training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}
