//! What can be wrong with an artifact or with the rows given to a model.
//!
//! No variant carries a value of a row: where it stood, never what it was.

use safetensors::SafeTensorError;
use thiserror::Error;

/// Why an artifact was refused or rows were not scored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file is larger than any artifact may be.
    #[error("the artifact is larger than {max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// The header of the file is larger than any artifact needs.
    #[error("the artifact's header is larger than {max} bytes")]
    HeaderTooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// The bytes are no safetensors file.
    #[error("not a safetensors file")]
    Format(#[source] SafeTensorError),
    /// The metadata are not exactly one manifest.
    #[error("the metadata are not exactly the one key `{key}`")]
    Metadata {
        /// The only key an artifact has.
        key: &'static str,
    },
    /// The file is a part of a split model, and a whole one is wanted.
    #[error("this is a part of a split model: its `plan.json` names the model")]
    IsPart,
    /// The file is no part of a split model.
    #[error("not a part of a split model")]
    NotPart,
    /// The parts are not those that the plan names.
    #[error("part {part} is not the one that the plan names")]
    OtherPart {
        /// Which, from 0.
        part: usize,
    },
    /// More or fewer parts than the plan names.
    #[error("the plan names {expected} parts, there are {found}")]
    PartCount {
        /// How many the plan names.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A model cannot be cut in this way.
    #[error("the model cannot be cut so: {reason}")]
    Cut {
        /// Why.
        reason: &'static str,
    },
    /// Another part of a split model did not answer.
    #[error("a part of the model did not answer")]
    PartLost,
    /// What came from another part of a split model cannot be its answer, or a question to it.
    #[error("a message between parts of a model is malformed")]
    Exchange,
    /// The manifest does not have the expected form.
    #[error("the manifest cannot be read")]
    Manifest(#[source] serde_json::Error),
    /// The manifest says the same in other bytes than ours would.
    #[error("the manifest is not canonical JSON")]
    NotCanonical,
    /// A field of the manifest has a value that cannot be.
    #[error("manifest field `{field}`: expected {reason}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it should have been.
        reason: &'static str,
    },
    /// The file holds more or fewer tensors than the architecture has.
    #[error("the architecture has {expected} tensors, the file {found}")]
    TensorCount {
        /// How many the architecture has.
        expected: usize,
        /// How many the file has.
        found: usize,
    },
    /// A tensor of the architecture is not in the file.
    #[error("tensor `{name}` is missing")]
    TensorMissing {
        /// Its name.
        name: String,
    },
    /// A tensor is not of the type that the weight format gives it.
    #[error("tensor `{name}` has not the type the weight format gives it")]
    TensorType {
        /// Its name.
        name: String,
    },
    /// A tensor is not as large as the architecture says.
    #[error("tensor `{name}` has not the shape the architecture gives it")]
    TensorShape {
        /// Its name.
        name: String,
    },
    /// A weight is NaN or infinite, in the file or after folding the standardisation into it.
    #[error("tensor `{name}` holds a value that is not finite")]
    WeightNotFinite {
        /// Its name.
        name: String,
    },
    /// A scale of quantised weights is zero or negative.
    #[error("tensor `{name}` holds a scale that is not greater than zero")]
    Scale {
        /// Its name.
        name: String,
    },
    /// A quantised weight is -128, which no symmetric quantisation gives.
    #[error("tensor `{name}` holds a step outside -127 to 127")]
    Step {
        /// Its name.
        name: String,
    },
    /// There are no rows.
    #[error("there are no rows")]
    NoRows,
    /// The number of values is not rows times features.
    #[error("{count} rows of {features} features are not {found} values")]
    RowsLength {
        /// Rows that were announced.
        count: usize,
        /// Features that were announced.
        features: usize,
        /// Values that came.
        found: usize,
    },
    /// A value of a row is NaN, infinite, or too large to be standardised.
    #[error("row {row}, feature {feature}: not a finite number")]
    ValueNotFinite {
        /// The row, from 0.
        row: usize,
        /// The feature, from 0.
        feature: usize,
    },
    /// The rows have another width than the model.
    #[error("the model has {expected} features, the rows {found}")]
    FeatureCount {
        /// Features of the model.
        expected: usize,
        /// Features of the rows.
        found: usize,
    },
    /// The network overflowed on a row.
    #[error("row {row}: the network's answer is not a finite number")]
    OutputNotFinite {
        /// The row, from 0.
        row: usize,
    },
    /// The fused path and the engine answered the same rows differently.
    #[error("the fused path and the engine are {difference:e} apart on the same rows")]
    Disagreement {
        /// How far; infinite where only one of them answered.
        difference: f64,
    },
    /// The engine failed or answered with another shape.
    #[error("the engine failed")]
    Engine(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}
