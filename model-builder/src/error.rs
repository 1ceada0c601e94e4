//! What can be wrong with a table, a training or an import.
//!
//! Cells are named by line and column, never shown: a table may hold patients.

use sealgate_model::{ModelError, WeightFormat};
use sealgate_model_import::ImportError;
use thiserror::Error;

/// Why there is no model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The table is larger than training in memory should take.
    #[error("the table is larger than {max} bytes")]
    TableTooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// The table could not be read.
    #[error("the table could not be read")]
    Read(#[source] std::io::Error),
    /// The table is no CSV, or its lines have different lengths.
    #[error("the table is not well-formed CSV")]
    Csv(#[source] csv::Error),
    /// A column that is needed is not there.
    #[error("the table has no column `{column}`")]
    ColumnMissing {
        /// Its name.
        column: String,
    },
    /// Two columns have one name.
    #[error("the table has two columns `{column}`")]
    ColumnTwice {
        /// Their name.
        column: String,
    },
    /// A cell that should hold a number does not.
    #[error("line {line}, column `{column}`: not a finite number")]
    Cell {
        /// The line, from 1.
        line: u64,
        /// The column's name.
        column: String,
    },
    /// There is nothing to learn from.
    #[error("the table has no rows or no feature columns")]
    Empty,
    /// The target column has other than two classes.
    #[error("column `{column}` has {found} classes, two are needed")]
    ClassCount {
        /// The column's name.
        column: String,
        /// How many classes it has.
        found: usize,
    },
    /// The target column has one class, or more than anything is sorted into.
    #[error("column `{column}` has {found} classes, 2 to 1,000 are needed")]
    ClassesCount {
        /// The column's name.
        column: String,
        /// How many classes it has.
        found: usize,
    },
    /// A cell names no class of the model.
    #[error("line {line}, column `{column}`: not a class of the model")]
    LabelUnknown {
        /// The line, from 1.
        line: u64,
        /// The column's name.
        column: String,
    },
    /// One column cannot say whether the model's answers are right.
    #[error("column `{column}` cannot tell whether this model's answers are right")]
    TargetUnfit {
        /// The column's name.
        column: String,
    },
    /// The artifact's weights do not take more bytes than they would afterwards.
    #[error("the weights are {from} already, {to} would not take fewer bytes")]
    NotSmaller {
        /// How they are stored.
        from: WeightFormat,
        /// How they would be.
        to: WeightFormat,
    },
    /// The artifact was compressed before.
    #[error("the weights were compressed before")]
    CompressedBefore,
    /// The compressed model is worse than allowed.
    #[error("the compressed model loses {loss:.4}, allowed are {max}")]
    LossTooLarge {
        /// What it loses.
        loss: f64,
        /// What was allowed.
        max: f64,
    },
    /// No row is of the positive class.
    #[error("no row has the class `{label}` in column `{column}`")]
    PositiveMissing {
        /// The column's name.
        column: String,
        /// The label that no row has.
        label: String,
    },
    /// A parameter of the training cannot be.
    #[error("training parameter `{field}`: expected {reason}")]
    Parameter {
        /// Which one.
        field: &'static str,
        /// What it should have been.
        reason: &'static str,
    },
    /// The loss grew beyond all numbers.
    #[error("training diverged in epoch {epoch}")]
    Diverged {
        /// The epoch, from 1.
        epoch: u32,
    },
    /// The engine failed.
    #[error("the engine failed")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file of another framework cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The schema is no TOML of the expected form.
    #[error("the schema cannot be read")]
    Schema(#[source] toml::de::Error),
    /// The schema names more or fewer things than the model has.
    #[error("the schema names {found} {what}, the model has {expected}")]
    SchemaCount {
        /// Features, classes, labels or targets.
        what: &'static str,
        /// How many the model has.
        expected: usize,
        /// How many the schema names.
        found: usize,
    },
    /// The schema says of the model's answer what it is not.
    #[error("the schema has `{field}`, and the model answers {answers}")]
    SchemaUnfit {
        /// The field of the schema.
        field: &'static str,
        /// What the model answers.
        answers: &'static str,
    },
    /// The positive class is none of the classes.
    #[error("the positive class `{positive}` is none of the classes")]
    PositiveUnknown {
        /// The name.
        positive: String,
    },
    /// The reference rows are no JSON of the expected form.
    #[error("the reference rows cannot be read")]
    Reference(#[source] serde_json::Error),
    /// The reference rows do not fit each other or the model.
    #[error("the reference rows have {found} {what}, the model has {expected}")]
    ReferenceShape {
        /// What there is another number of.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The model does not answer as the reference does.
    #[error("row {row}: the answer differs by {largest:.3e}, more than {tolerance:e}")]
    Differs {
        /// The row that differs most, from 0.
        row: usize,
        /// By how much.
        largest: f64,
        /// How much was allowed.
        tolerance: f64,
    },
    /// The result is no artifact, or cannot be run.
    #[error("the model cannot be made")]
    Model(#[from] ModelError),
}

impl BuildError {
    pub(crate) fn engine(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Engine(Box::new(error))
    }
}
