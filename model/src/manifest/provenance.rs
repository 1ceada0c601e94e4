//! Where the weights came from.

use serde::{Deserialize, Serialize};

use super::WeightFormat;
use crate::{Digest, canonical};

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
        /// How often each row was seen, at most.
        epochs: u32,
        /// How the weights were moved.
        optimiser: Optimiser,
        /// What computed it.
        engine: Engine,
        /// How it was decided when to stop; absent where every epoch was run and the last one kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        early_stopping: Option<EarlyStopping>,
    },
    /// Read from another tool's file.
    Imported {
        /// The form of the file: `onnx`, `tflite`, `safetensors`.
        format: String,
        /// The digest of the file as it was read.
        sha256: Digest,
        /// What wrote the file, as the file says.
        producer: String,
    },
    /// The weights of another artifact in fewer bits.
    Compressed {
        /// The digest of that artifact.
        of: Digest,
        /// The weight format of that artifact.
        from: WeightFormat,
        /// Where its weights came from; itself not compressed.
        original: Box<Self>,
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

/// Training that stopped when rows it did not learn from said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// How many rows were held back to look at.
    pub validation_rows: u32,
    /// After how many epochs without an improvement it stopped.
    pub patience_epochs: u32,
    /// The epoch whose weights were kept, from 1.
    pub kept_epoch: u32,
}
