//! What can be wrong with a rows file.

use std::fmt;

use thiserror::Error;

/// One mistake. Holds places and names, never a value.
#[derive(Debug, Error)]
pub(crate) enum Mistake {
    #[error("larger than {max} bytes")]
    TooLarge { max: u64 },
    #[error("not UTF-8 text")]
    NotText,
    #[error("there are no rows")]
    NoRows,
    #[error("not JSON: line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("neither rows of numbers, nor an object with `x`, nor a V2 request")]
    NotRows,
    #[error("row {row} has {found} numbers, the model takes {expected}")]
    RowLength { row: usize, expected: usize, found: usize },
    #[error("{place}: not a finite number")]
    NotANumber { place: Place },
    #[error("{found} inputs, the model takes one")]
    InputCount { found: usize },
    #[error("the input is named `{found}`, the model takes `{expected}`")]
    InputName { expected: String, found: String },
    #[error("the datatype is `{found}`, the model takes `FP32`")]
    Datatype { found: String },
    #[error("the shape must be [rows, {width}]")]
    ShapeForm { width: usize },
    #[error("the shape and the data differ")]
    Shape,
    #[error("no column {}", quoted(columns))]
    ColumnsMissing { columns: Vec<String> },
    #[error("two columns `{column}`")]
    ColumnTwice { column: String },
    #[error("line {line} has another number of cells than the header")]
    LineLength { line: u64 },
    #[error("not CSV")]
    NotCsv,
}

impl Mistake {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotRows | Self::NotJson { .. } | Self::NotCsv => {
                "rows are `[[..],..]`, `{\"x\": [[..],..]}`, a V2 request, or CSV with a header"
            }
            Self::ColumnsMissing { .. } | Self::RowLength { .. } => {
                "`sealgate model inspect` lists the model's features in their order"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Where a value stands.
#[derive(Debug)]
pub(crate) enum Place {
    /// In a list: rows are counted from 0, as the gateway counts them.
    Row { row: usize, column: String },
    /// In a table: lines are counted from 1, as editors count them.
    Line { line: u64, column: String },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { row, column } => write!(f, "row {row}, column `{column}`"),
            Self::Line { line, column } => write!(f, "line {line}, column `{column}`"),
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
