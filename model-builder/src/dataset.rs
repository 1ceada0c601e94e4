//! Rows with the class each belongs to.

use std::fmt;

use sealgate_model::{Digest, ModelError, Rows};

use crate::BuildError;

/// A table ready to train on: at least one feature, at least one row of each of two classes,
/// every value a finite number.
pub struct Dataset {
    pub(crate) name: String,
    pub(crate) sha256: Digest,
    pub(crate) columns: Vec<Column>,
    /// The negative class first.
    pub(crate) classes: [String; 2],
    /// Row by row.
    pub(crate) values: Vec<f32>,
    /// Whether each row is of the positive class.
    pub(crate) labels: Vec<bool>,
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
        self.labels.len()
    }

    /// The features, in the order of the table.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Both classes, the negative one first.
    #[must_use]
    pub fn classes(&self) -> &[String; 2] {
        &self.classes
    }

    /// Whether each row is of the positive class.
    #[must_use]
    pub fn labels(&self) -> &[bool] {
        &self.labels
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
            classes: self.classes.clone(),
            values: indices.iter().filter_map(row).flatten().copied().collect(),
            labels: indices.iter().filter_map(|&index| self.labels.get(index)).copied().collect(),
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
