//! What an artifact says about itself.
//!
//! Everything a caller, a reviewer or another tool needs to know stands here and nowhere else:
//! the shape of the network, the meaning of its inputs and of its answer, and where it came from.
//! There is no time and no path in it, so that the same training gives the same file.

mod check;
mod layer;
mod provenance;
mod task;

use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::{Digest, ModelError};

pub use check::{DEPTH_MAX, WIDTH_MAX};
pub(crate) use check::{check_standardisation, is_name, require};
pub use layer::{Activation, Dense, WeightFormat};
pub use provenance::{DataSource, EarlyStopping, Engine, Optimiser, Provenance};
pub use task::{Quantity, Task};

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

/// One column of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Its name, unique in the model.
    pub name: String,
    /// Its unit; `1` where there is none.
    pub unit: String,
    /// The smallest and the largest value seen in training, where that is known.
    #[serde(default, with = "canonical::pair", skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
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
