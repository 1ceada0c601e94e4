//! Reads a dataset from CSV: a header, numbers, and one column with what is true of each row.

use std::collections::{BTreeSet, HashSet};
use std::io::Read;

use csv::StringRecord;
use sealgate_model::{Digest, Manifest, Quantity, Task};

use crate::{BuildError, Column, Dataset, Truth};

/// The largest table, in bytes: training holds it in memory.
pub const TABLE_BYTES_MAX: usize = 64 << 20;
/// The most classes that are learned: a column of numbers is no column of classes.
pub const CLASSES_MAX: usize = 1_000;

/// Which column is learned, and as what.
#[derive(Clone, Debug)]
pub struct Target {
    column: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Binary { positive: String, names: Option<[String; 2]> },
    Classes,
    Numbers { unit: String },
}

impl Target {
    /// The class is in `column`; a row is positive where it says `positive`.
    #[must_use]
    pub fn new(column: &str, positive: &str) -> Self {
        let kind = Kind::Binary { positive: positive.to_owned(), names: None };
        Self { column: column.to_owned(), kind }
    }

    /// One of several classes is in `column`; they are answered in the order of their names.
    #[must_use]
    pub fn classes(column: &str) -> Self {
        Self { column: column.to_owned(), kind: Kind::Classes }
    }

    /// A number is in `column`.
    #[must_use]
    pub fn numbers(column: &str, unit: &str) -> Self {
        Self { column: column.to_owned(), kind: Kind::Numbers { unit: unit.to_owned() } }
    }

    /// What two classes are called in the artifact, where the table has only codes.
    #[must_use]
    pub fn with_class_names(mut self, negative: &str, positive: &str) -> Self {
        if let Kind::Binary { names, .. } = &mut self.kind {
            *names = Some([negative.to_owned(), positive.to_owned()]);
        }
        self
    }

    fn truth(&self, cells: &[Cell]) -> Result<Truth, BuildError> {
        match &self.kind {
            Kind::Binary { positive, names } => {
                let classes = two_classes(cells, &self.column, positive)?;
                let labels = cells.iter().map(|cell| cell.text == *positive).collect();
                Ok(Truth::Binary { classes: names.clone().unwrap_or(classes), labels })
            }
            Kind::Classes => {
                let classes: BTreeSet<&str> = cells.iter().map(|cell| &*cell.text).collect();
                let classes: Vec<String> = classes.into_iter().map(str::to_owned).collect();
                if !(2..=CLASSES_MAX).contains(&classes.len()) {
                    let (column, found) = (self.column.clone(), classes.len());
                    return Err(BuildError::ClassesCount { column, found });
                }
                let labels = labels(cells, &classes, &self.column)?;
                Ok(Truth::Classes { classes, labels })
            }
            Kind::Numbers { unit } => {
                let quantity = Quantity { name: self.column.clone(), unit: unit.clone() };
                Ok(Truth::Numbers { quantity, values: numbers(cells, &self.column)? })
            }
        }
    }
}

impl Dataset {
    /// Reads a table whose columns, but for the target's, are all numbers.
    ///
    /// # Errors
    ///
    /// When the table is larger than [`TABLE_BYTES_MAX`], is no CSV with a header, lacks the
    /// target's column, has two columns of one name, a cell that is no finite number, or other
    /// classes than the target needs.
    pub fn from_csv(name: &str, reader: impl Read, target: &Target) -> Result<Self, BuildError> {
        let table = Table::read(reader, None, &target.column)?;
        let truth = target.truth(&table.target)?;
        let column = |name: &String| Column { name: name.clone(), unit: UNIT_UNKNOWN.to_owned() };
        Ok(Self {
            name: name.to_owned(),
            sha256: table.sha256,
            columns: table.features.iter().map(column).collect(),
            truth,
            values: table.values,
        })
    }

    /// Reads the rows that the model of `manifest` scores, its features by their names, and what
    /// is true of them from `column`; other columns are let be. Of two classes the one called
    /// `positive` is the positive one; without it the cells have to be the names of the classes.
    ///
    /// # Errors
    ///
    /// As of [`Dataset::from_csv`]; and when the model answers several labels, or several numbers,
    /// of which one column tells nothing.
    pub fn for_model(
        manifest: &Manifest,
        reader: impl Read,
        column: &str,
        positive: Option<&str>,
    ) -> Result<Self, BuildError> {
        let features: Vec<&str> = manifest.features.iter().map(|f| f.name.as_str()).collect();
        let table = Table::read(reader, Some(&features), column)?;
        let cells = &table.target;
        let truth = match (&manifest.task, positive) {
            (Task::Binary { classes, .. }, Some(positive)) => Truth::Binary {
                classes: classes.clone(),
                labels: cells.iter().map(|cell| cell.text == positive).collect(),
            },
            (Task::Binary { classes, .. }, None) => Truth::Binary {
                classes: classes.clone(),
                labels: labels(cells, classes, column)?.into_iter().map(|at| at == 1).collect(),
            },
            (Task::Multiclass { classes }, None) => {
                Truth::Classes { classes: classes.clone(), labels: labels(cells, classes, column)? }
            }
            (Task::Regression { targets }, None) if targets.len() == 1 => Truth::Numbers {
                quantity: Quantity { name: column.to_owned(), unit: UNIT_UNKNOWN.to_owned() },
                values: numbers(cells, column)?,
            },
            _ => return Err(BuildError::TargetUnfit { column: column.to_owned() }),
        };
        let column = |feature: &sealgate_model::Feature| Column {
            name: feature.name.clone(),
            unit: feature.unit.clone(),
        };
        Ok(Self {
            name: manifest.name.clone(),
            sha256: table.sha256,
            columns: manifest.features.iter().map(column).collect(),
            truth,
            values: table.values,
        })
    }
}

/// What stands for a unit that nobody gave.
const UNIT_UNKNOWN: &str = "unspecified";

/// A table as it was read.
struct Table {
    sha256: Digest,
    features: Vec<String>,
    /// Of the features, row by row.
    values: Vec<f32>,
    target: Vec<Cell>,
}

/// A cell of the target's column.
struct Cell {
    line: u64,
    text: String,
}

impl Table {
    /// Reads the column `target` and those called `features`, in that order; without names all
    /// others, in the order of the table.
    fn read(
        reader: impl Read,
        features: Option<&[&str]>,
        target: &str,
    ) -> Result<Self, BuildError> {
        let bytes = read_bounded(reader)?;
        let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(&*bytes);
        let header = table.headers().map_err(BuildError::Csv)?.clone();
        let at = check_header(&header, target)?;
        let wanted = match features {
            Some(names) => {
                names.iter().map(|name| check_header(&header, name)).collect::<Result<_, _>>()?
            }
            None => (0..header.len()).filter(|index| *index != at).collect::<Vec<_>>(),
        };
        let name = |&index: &usize| header.get(index).unwrap_or_default().to_owned();
        let features = wanted.iter().map(name).collect();
        let (mut values, mut cells) = (Vec::new(), Vec::new());
        for record in table.records() {
            let record = record.map_err(BuildError::Csv)?;
            let line = record.position().map_or(0, csv::Position::line);
            cells.push(Cell { line, text: record.get(at).unwrap_or_default().to_owned() });
            for &index in &wanted {
                let column = header.get(index).unwrap_or_default();
                values.push(number(record.get(index).unwrap_or_default(), line, column)?);
            }
        }
        if values.is_empty() {
            return Err(BuildError::Empty);
        }
        Ok(Self { sha256: Digest::of(&bytes), features, values, target: cells })
    }
}

fn read_bounded(reader: impl Read) -> Result<Vec<u8>, BuildError> {
    let mut bytes = Vec::new();
    let bound = TABLE_BYTES_MAX as u64 + 1;
    reader.take(bound).read_to_end(&mut bytes).map_err(BuildError::Read)?;
    if bytes.len() > TABLE_BYTES_MAX {
        return Err(BuildError::TableTooLarge { max: TABLE_BYTES_MAX });
    }
    Ok(bytes)
}

/// Where a column is.
fn check_header(header: &StringRecord, column: &str) -> Result<usize, BuildError> {
    let mut names = HashSet::new();
    if let Some(twice) = header.iter().find(|name| !names.insert(*name)) {
        return Err(BuildError::ColumnTwice { column: twice.to_owned() });
    }
    let missing = || BuildError::ColumnMissing { column: column.to_owned() };
    header.iter().position(|name| name == column).ok_or_else(missing)
}

fn number(cell: &str, line: u64, column: &str) -> Result<f32, BuildError> {
    let number = cell.parse().ok().filter(|number: &f32| number.is_finite());
    number.ok_or_else(|| BuildError::Cell { line, column: column.to_owned() })
}

fn numbers(cells: &[Cell], column: &str) -> Result<Vec<f32>, BuildError> {
    cells.iter().map(|cell| number(&cell.text, cell.line, column)).collect()
}

/// The place of each cell's class among `classes`.
fn labels(cells: &[Cell], classes: &[String], column: &str) -> Result<Vec<usize>, BuildError> {
    let label = |cell: &Cell| {
        let unknown = || BuildError::LabelUnknown { line: cell.line, column: column.to_owned() };
        classes.iter().position(|class| *class == cell.text).ok_or_else(unknown)
    };
    cells.iter().map(label).collect()
}

/// The two labels of the table, the negative one first.
fn two_classes(cells: &[Cell], column: &str, positive: &str) -> Result<[String; 2], BuildError> {
    let distinct: BTreeSet<&str> = cells.iter().map(|cell| &*cell.text).collect();
    let (column, label) = (column.to_owned(), positive.to_owned());
    if !distinct.contains(positive) {
        return Err(BuildError::PositiveMissing { column, label });
    }
    let others: Vec<_> = distinct.iter().filter(|label| **label != positive).collect();
    match others.as_slice() {
        [negative] => Ok([(**negative).to_owned(), label]),
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
            let classes = ["no", "yes"].map(str::to_owned);
            data.values == [1.0, 2.0, 3.0, 4.5]
                && data.truth == Truth::Binary { classes, labels: vec![true, false] }
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
