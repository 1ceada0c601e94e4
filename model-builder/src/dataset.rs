//! Rows with what is true of each.

use std::fmt;

use sealgate_model::{Digest, ModelError, Quantity, Rows};

use crate::BuildError;

/// A table ready to train on: at least one feature and one row, every value a finite number.
pub struct Dataset {
    pub(crate) name: String,
    pub(crate) sha256: Digest,
    pub(crate) columns: Vec<Column>,
    pub(crate) truth: Truth,
    /// Row by row.
    pub(crate) values: Vec<f32>,
}

/// What is true of each row, in their order.
#[derive(Clone, PartialEq)]
pub enum Truth {
    /// One of two classes.
    Binary {
        /// Both classes, the negative one first.
        classes: [String; 2],
        /// Whether each row is of the positive class.
        labels: Vec<bool>,
    },
    /// One of several classes.
    Classes {
        /// The classes, in the order in which a model answers them.
        classes: Vec<String>,
        /// The class of each row, by its place in `classes`.
        labels: Vec<usize>,
    },
    /// A number.
    Numbers {
        /// What it is.
        quantity: Quantity,
        /// The number of each row.
        values: Vec<f32>,
    },
}

/// A feature's name and unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name in the table's header.
    pub name: String,
    /// The unit; `1` where there is none.
    pub unit: String,
}

impl Dataset {
    /// Says in which unit each feature is; a feature that is not named stays `unspecified`.
    ///
    /// # Errors
    ///
    /// When a name is not that of a feature.
    pub fn with_units(mut self, columns: &[Column]) -> Result<Self, BuildError> {
        for Column { name, unit } in columns {
            let Some(column) = self.columns.iter_mut().find(|column| column.name == *name) else {
                return Err(BuildError::ColumnMissing { column: name.clone() });
            };
            column.unit.clone_from(unit);
        }
        Ok(self)
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.truth.rows()
    }

    /// The features, in the order of the table.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What is true of each row.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// All rows, as a model takes them.
    ///
    /// # Errors
    ///
    /// Never for a dataset that was read from a table.
    pub fn to_rows(&self) -> Result<Rows, ModelError> {
        Rows::new(self.rows(), self.columns.len(), self.values.clone())
    }

    /// The rows at `indices`; one that is not there is left out.
    pub(crate) fn subset(&self, indices: &[usize]) -> Self {
        let width = self.columns.len();
        let row = |&index: &usize| self.values.get(index * width..(index + 1) * width);
        Self {
            name: self.name.clone(),
            sha256: self.sha256,
            columns: self.columns.clone(),
            truth: self.truth.subset(indices),
            values: indices.iter().filter_map(row).flatten().copied().collect(),
        }
    }
}

impl Truth {
    /// Of how many rows it is.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Binary { labels, .. } => labels.len(),
            Self::Classes { labels, .. } => labels.len(),
            Self::Numbers { values, .. } => values.len(),
        }
    }

    /// How many values a model answers that learns it.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match self {
            Self::Binary { .. } | Self::Numbers { .. } => 1,
            Self::Classes { classes, .. } => classes.len(),
        }
    }

    /// The class of each row, as a number; all of one class where there are none.
    pub(crate) fn strata(&self) -> Vec<usize> {
        match self {
            Self::Binary { labels, .. } => labels.iter().map(|&label| label.into()).collect(),
            Self::Classes { labels, .. } => labels.clone(),
            Self::Numbers { values, .. } => vec![0; values.len()],
        }
    }

    fn subset(&self, indices: &[usize]) -> Self {
        fn of<T: Copy>(all: &[T], indices: &[usize]) -> Vec<T> {
            indices.iter().filter_map(|&index| all.get(index)).copied().collect()
        }
        match self {
            Self::Binary { classes, labels } => {
                Self::Binary { classes: classes.clone(), labels: of(labels, indices) }
            }
            Self::Classes { classes, labels } => {
                Self::Classes { classes: classes.clone(), labels: of(labels, indices) }
            }
            Self::Numbers { quantity, values } => {
                Self::Numbers { quantity: quantity.clone(), values: of(values, indices) }
            }
        }
    }
}

/// Which table it is; never its rows.
impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("name", &self.name)
            .field("sha256", &self.sha256)
            .field("rows", &self.rows())
            .finish_non_exhaustive()
    }
}
