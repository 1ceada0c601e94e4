//! Reads a dataset from CSV: a header, numbers, and one column that names the class.

use std::collections::{BTreeSet, HashSet};
use std::io::Read;

use csv::StringRecord;
use sealgate_model::Digest;

use crate::{BuildError, Column, Dataset};

/// The largest table, in bytes: training holds it in memory.
pub const TABLE_BYTES_MAX: usize = 64 << 20;

/// Which column is learned, and which of its two classes is the positive one.
#[derive(Clone, Debug)]
pub struct Target {
    column: String,
    positive: String,
    names: Option<[String; 2]>,
}

impl Target {
    /// The class is in `column`; a row is positive where it says `positive`.
    #[must_use]
    pub fn new(column: &str, positive: &str) -> Self {
        Self { column: column.to_owned(), positive: positive.to_owned(), names: None }
    }

    /// What the classes are called in the artifact, where the table has only codes.
    #[must_use]
    pub fn with_class_names(mut self, negative: &str, positive: &str) -> Self {
        self.names = Some([negative.to_owned(), positive.to_owned()]);
        self
    }
}

impl Dataset {
    /// Reads a table whose columns, but for the target's, are all numbers.
    ///
    /// # Errors
    ///
    /// When the table is larger than [`TABLE_BYTES_MAX`], is no CSV with a header, lacks the
    /// target's column, has two columns of one name, a cell that is no finite number, or other
    /// than two classes.
    pub fn from_csv(name: &str, reader: impl Read, target: &Target) -> Result<Self, BuildError> {
        let bytes = read_bounded(reader)?;
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&*bytes);
        let header = table.headers().map_err(BuildError::Csv)?.clone();
        let at = check_header(&header, &target.column)?;
        let (values, labels) = read_rows(&mut table, &header, at)?;
        let classes = classes_of(&labels, target)?;
        if values.is_empty() {
            return Err(BuildError::Empty);
        }
        let features = header.iter().enumerate().filter(|(index, _)| *index != at);
        let column =
            |(_, name): (_, &str)| Column { name: name.to_owned(), unit: UNIT_UNKNOWN.to_owned() };
        Ok(Self {
            name: name.to_owned(),
            sha256: Digest::of(&bytes),
            columns: features.map(column).collect(),
            classes: target.names.clone().unwrap_or(classes),
            values,
            labels: labels.iter().map(|label| *label == target.positive).collect(),
        })
    }
}

/// What stands for a unit that nobody gave.
const UNIT_UNKNOWN: &str = "unspecified";

fn read_bounded(reader: impl Read) -> Result<Vec<u8>, BuildError> {
    let mut bytes = Vec::new();
    let bound = TABLE_BYTES_MAX as u64 + 1;
    reader.take(bound).read_to_end(&mut bytes).map_err(BuildError::Read)?;
    if bytes.len() > TABLE_BYTES_MAX {
        return Err(BuildError::TableTooLarge { max: TABLE_BYTES_MAX });
    }
    Ok(bytes)
}

/// Where the target's column is.
fn check_header(header: &StringRecord, target: &str) -> Result<usize, BuildError> {
    let mut names = HashSet::new();
    if let Some(twice) = header.iter().find(|name| !names.insert(*name)) {
        return Err(BuildError::ColumnTwice { column: twice.to_owned() });
    }
    let missing = || BuildError::ColumnMissing { column: target.to_owned() };
    header.iter().position(|name| name == target).ok_or_else(missing)
}

fn read_rows(
    table: &mut csv::Reader<&[u8]>,
    header: &StringRecord,
    target: usize,
) -> Result<(Vec<f32>, Vec<String>), BuildError> {
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for record in table.records() {
        let record = record.map_err(BuildError::Csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        for (index, (cell, column)) in record.iter().zip(header).enumerate() {
            if index == target {
                labels.push(cell.to_owned());
            } else {
                let number = cell.parse().ok().filter(|number: &f32| number.is_finite());
                let refused = || BuildError::Cell { line, column: column.to_owned() };
                values.push(number.ok_or_else(refused)?);
            }
        }
    }
    Ok((values, labels))
}

/// The two labels of the table, the negative one first.
fn classes_of(labels: &[String], target: &Target) -> Result<[String; 2], BuildError> {
    let distinct: BTreeSet<&String> = labels.iter().collect();
    let column = target.column.clone();
    if distinct.is_empty() {
        return Err(BuildError::Empty);
    }
    if !distinct.contains(&target.positive) {
        return Err(BuildError::PositiveMissing { column, label: target.positive.clone() });
    }
    let others: Vec<_> = distinct.iter().filter(|label| ***label != target.positive).collect();
    match others.as_slice() {
        [negative] => Ok([(**negative).clone(), target.positive.clone()]),
        _ => Err(BuildError::ClassCount { column, found: distinct.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_becomes_rows_and_labels() {
        let data = read("a,class,b\n1,yes,2\n3,no,4.5\n");
        assert!(data.is_ok_and(|data| {
            data.values == [1.0, 2.0, 3.0, 4.5]
                && data.labels == [true, false]
                && data.classes == ["no", "yes"]
                && data.columns.iter().map(|column| column.name.as_str()).eq(["a", "b"])
        }));
    }

    #[test]
    fn a_cell_that_is_no_number_is_named_by_line_and_column_and_not_shown() {
        for bad in ["tall", "", "NaN", "inf", "1e99"] {
            let refused = read(&format!("a,class,b\n1,yes,2\n3,no,{bad}\n")).err();
            let text = refused.map(|error| error.to_string());
            assert_eq!(text.as_deref(), Some("line 3, column `b`: not a finite number"));
        }
    }

    #[test]
    fn a_table_without_the_target_is_refused() {
        let refused = read("a,b\n1,2\n").err();
        assert!(matches!(refused, Some(BuildError::ColumnMissing { column }) if column == "class"));
    }

    #[test]
    fn a_column_that_is_there_twice_is_refused() {
        let refused = read("a,class,a\n1,yes,2\n").err();
        assert!(matches!(refused, Some(BuildError::ColumnTwice { column }) if column == "a"));
    }

    #[test]
    fn a_short_line_is_refused() {
        assert!(matches!(read("a,class\n1,yes\n2\n").err(), Some(BuildError::Csv(_))));
    }

    #[test]
    fn one_class_and_three_classes_are_refused() {
        let one = read("a,class\n1,yes\n").err();
        assert!(matches!(one, Some(BuildError::ClassCount { found: 1, .. })));
        let three = read("a,class\n1,yes\n2,no\n3,maybe\n").err();
        assert!(matches!(three, Some(BuildError::ClassCount { found: 3, .. })));
    }

    #[test]
    fn a_positive_class_that_no_row_has_is_refused() {
        let refused = read("a,class\n1,no\n2,maybe\n").err();
        assert!(matches!(refused, Some(BuildError::PositiveMissing { .. })));
    }

    #[test]
    fn a_table_without_rows_or_without_features_is_refused() {
        assert!(matches!(read("a,class\n").err(), Some(BuildError::Empty)));
        assert!(matches!(read("class\nyes\nno\n").err(), Some(BuildError::Empty)));
    }

    #[test]
    fn a_table_larger_than_the_limit_is_refused() {
        let endless = std::io::repeat(b'1');
        let refused = Dataset::from_csv("endless", endless, &Target::new("class", "yes")).err();
        assert!(matches!(refused, Some(BuildError::TableTooLarge { .. })));
    }

    #[test]
    fn a_unit_for_a_column_that_is_not_there_is_refused() {
        let unit = Column { name: "c".to_owned(), unit: "1".to_owned() };
        let refused = read("a,class\n1,yes\n2,no\n").and_then(|data| data.with_units(&[unit]));
        assert!(matches!(refused.err(), Some(BuildError::ColumnMissing { .. })));
    }

    fn read(text: &str) -> Result<Dataset, BuildError> {
        Dataset::from_csv("test", text.as_bytes(), &Target::new("class", "yes"))
    }
}
