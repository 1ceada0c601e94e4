//! Rows files: JSON in three forms, or CSV with a header.
//!
//! Whatever the form, every row must have every feature of the model, and every value must be a
//! finite number. A mistake is named by its place, never by its value: it is about a person.

mod json;
mod mistake;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub(crate) use mistake::Mistake;
use mistake::Place;
use sealgate_model::{Manifest, Rows};

use crate::error::CliError;

/// Reads the rows in a file, for the model that `manifest` describes.
pub(crate) fn read(path: &Path, manifest: &Manifest) -> Result<Rows, CliError> {
    let file = File::open(path).map_err(CliError::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(CliError::io("read", path))?;
    parse(&bytes, manifest).map_err(|mistake| CliError::Rows { path: path.to_owned(), mistake })
}

fn parse(bytes: &[u8], manifest: &Manifest) -> Result<Rows, Mistake> {
    if bytes.len() as u64 > BYTES_MAX {
        return Err(Mistake::TooLarge { max: BYTES_MAX });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Mistake::NotText)?;
    let text = text.trim_start_matches(BYTE_ORDER_MARK);
    let mut collected = Collected::new(manifest);
    match text.trim_start().chars().next() {
        None => return Err(Mistake::NoRows),
        Some('[' | '{') => json::read(text, &mut collected)?,
        Some(_) => table::read(text, &mut collected)?,
    }
    collected.into_rows()
}

/// Rows on their way from a file to the model.
struct Collected<'a> {
    manifest: &'a Manifest,
    count: usize,
    values: Vec<f32>,
}

impl<'a> Collected<'a> {
    fn new(manifest: &'a Manifest) -> Self {
        Self { manifest, count: 0, values: Vec::new() }
    }

    /// How many values a row has.
    fn width(&self) -> usize {
        self.manifest.features.len()
    }

    /// Takes a row; `None` stands for what is no number.
    fn row(&mut self, row: impl ExactSizeIterator<Item = Option<f64>>) -> Result<(), Mistake> {
        let (expected, found) = (self.width(), row.len());
        if expected != found {
            return Err(Mistake::RowLength { row: self.count, expected, found });
        }
        for (value, feature) in row.zip(&self.manifest.features) {
            // Through 64 bits, as the worker reads them: the same text gives the same score.
            match value.map(|value| value as f32).filter(|value| value.is_finite()) {
                Some(value) => self.values.push(value),
                None => {
                    let (row, column) = (self.count, feature.name.clone());
                    return Err(Mistake::NotANumber { place: Place::Row { row, column } });
                }
            }
        }
        self.count += 1;
        Ok(())
    }

    fn into_rows(self) -> Result<Rows, Mistake> {
        let width = self.width();
        Rows::new(self.count, width, self.values).map_err(|_| Mistake::NoRows)
    }
}

/// More than any request may carry, less than fills a machine's memory.
const BYTES_MAX: u64 = 64 << 20;
/// Spreadsheets put it in front of CSV.
const BYTE_ORDER_MARK: char = '\u{feff}';

#[cfg(test)]
mod tests;
