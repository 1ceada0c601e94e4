//! What can be wrong with a table or with a training.
//!
//! Cells are named by line and column, never shown: a table may hold patients.

use sealgate_model::ModelError;
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
    /// The result is no artifact, or cannot be run.
    #[error("the model cannot be made")]
    Model(#[from] ModelError),
}

impl BuildError {
    pub(crate) fn engine(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Engine(Box::new(error))
    }
}
