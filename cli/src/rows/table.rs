//! CSV: the header says which column is which feature.

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use sealgate_model::Feature;

use super::mistake::Place;
use super::{Collected, Mistake};

pub(super) fn read(text: &str, into: &mut Collected<'_>) -> Result<(), Mistake> {
    let mut table = ReaderBuilder::new().trim(Trim::All).from_reader(text.as_bytes());
    let header = table.headers().map_err(malformed)?.clone();
    let columns = columns(&header, &into.manifest.features)?;
    for record in table.records() {
        let record = record.map_err(malformed)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |at: &usize| record.get(*at).and_then(|cell| cell.parse::<f64>().ok());
        into.row(columns.iter().map(cell)).map_err(|mistake| in_line(mistake, line))?;
    }
    Ok(())
}

/// Where each feature stands. Other columns are let be.
fn columns(header: &StringRecord, features: &[Feature]) -> Result<Vec<usize>, Mistake> {
    let (mut columns, mut missing) = (Vec::new(), Vec::new());
    for Feature { name, .. } in features {
        let mut places = header.iter().enumerate().filter(|(_, column)| column == name);
        match (places.next(), places.next()) {
            (Some((at, _)), None) => columns.push(at),
            (Some(_), Some(_)) => return Err(Mistake::ColumnTwice { column: name.clone() }),
            (None, _) => missing.push(name.clone()),
        }
    }
    if missing.is_empty() { Ok(columns) } else { Err(Mistake::ColumnsMissing { columns: missing }) }
}

/// In a table a line says more than the number of a row.
fn in_line(mistake: Mistake, line: u64) -> Mistake {
    match mistake {
        Mistake::NotANumber { place: Place::Row { column, .. } } => {
            Mistake::NotANumber { place: Place::Line { line, column } }
        }
        other => other,
    }
}

fn malformed(error: csv::Error) -> Mistake {
    match error.kind() {
        ErrorKind::UnequalLengths { pos: Some(position), .. } => {
            Mistake::LineLength { line: position.line() }
        }
        _ => Mistake::NotCsv,
    }
}
