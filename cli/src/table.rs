//! Columns for people.

use sealgate_review::inert;

use crate::error::CliError;
use crate::output;

/// Rows of cells that may hold anything; what is printed of them does nothing to a terminal.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these names of columns.
    pub(crate) fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: vec![names.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| inert(&cell)).collect());
    }

    /// Prints it, the columns below each other.
    pub(crate) fn print(&self) -> Result<(), CliError> {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let padding = width.saturating_sub(cell.chars().count()) + GAP;
                line.extend(std::iter::repeat_n(' ', padding));
            }
            output::line(line.trim_end())?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        (0..columns).map(width).collect()
    }
}

const GAP: usize = 2;
