//! Reads a table to its end. A mistake is noted, what is wrong is left out and the rest is read
//! again, so that one slip does not hide the next.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::words::{Complaint, expected_names};
use crate::mistake::{Mistakes, Place, closest};

/// What the text says, or `None` when so much had to be left out that judging the rest would
/// only bring more complaints of the same thing.
pub(super) fn read<T: DeserializeOwned>(
    file: &str,
    text: &str,
    mistakes: &mut Mistakes,
) -> Option<T> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(MISTAKES_MAX) {
        let place = Place::at(file, text, error.span().map_or(0, |span| span.start));
        Complaint::of(error.message()).note(place, None, &[], mistakes);
    }
    if !errors.is_empty() {
        return None;
    }
    let mut reading = Reading { file, text, table, left_out: Vec::new(), whole_row: false };
    for _ in 0..MISTAKES_MAX {
        match T::deserialize(Deserializer::from(reading.table.clone())) {
            Ok(rows) => return (!reading.whole_row).then_some(rows),
            Err(error) => reading.leave_out(error.message(), error.span(), mistakes)?,
        }
    }
    None
}

struct Reading<'a> {
    file: &'a str,
    text: &'a str,
    table: Spanned<DeTable<'a>>,
    /// Keys that were there, or that a misspelt one stood for: they are not missing.
    left_out: Vec<(Path, String)>,
    whole_row: bool,
}

/// The way from the top of a file to a table in it.
type Path = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
}

impl Reading<'_> {
    /// `None` when nothing is left to read.
    fn leave_out(
        &mut self,
        message: &str,
        span: Option<Range<usize>>,
        mistakes: &mut Mistakes,
    ) -> Option<()> {
        let span = span.unwrap_or(0..0);
        let mut path = deepest(self.table.get_ref(), &span);
        let known = expected_names(message);
        let complaint = Complaint::of(message);
        if let Complaint::UnknownField(name) = complaint {
            descend_to(self.table.get_ref(), &mut path, name);
            if let Some(meant) = closest(name, &known) {
                self.remember(&path, meant);
            }
        }
        if !self.told_already(&path, complaint) {
            complaint.note(self.place(&path, &span), nearest_key(&path), &known, mistakes);
        }
        self.remove(path)
    }

    fn told_already(&self, path: &Path, complaint: Complaint<'_>) -> bool {
        matches!(complaint, Complaint::Missing(name)
            if self.left_out.iter().any(|(at, key)| at == path && key == name))
    }

    fn place(&self, path: &[Step], span: &Range<usize>) -> Place<'_> {
        let start = match entry(self.table.get_ref(), path) {
            Some(key) if key.start > span.start || span.is_empty() => key.start,
            _ => span.start,
        };
        match path {
            [] => Place::file(self.file),
            _ => Place::at(self.file, self.text, start),
        }
    }

    fn remember(&mut self, path: &[Step], key: &str) {
        if let Some((_, parent)) = path.split_last() {
            self.left_out.push((parent.to_vec(), key.to_owned()));
        }
    }

    fn remove(&mut self, path: Path) -> Option<()> {
        if let Some(Step::Key(key)) = path.last() {
            let key = key.clone();
            self.remember(&path, &key);
        }
        // An unknown table is no row that others refer to, but who can tell it from one?
        self.whole_row |= take_out(self.table.get_mut(), &path)?;
        Some(())
    }
}

fn nearest_key(path: &[Step]) -> Option<&str> {
    path.iter().rev().find_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Item(_) => None,
    })
}

/// The deepest key, or table in a list, whose text holds `span`.
fn deepest(table: &DeTable<'_>, span: &Range<usize>) -> Path {
    let mut best = (usize::MAX, Path::new());
    search(table, span, &mut Path::new(), &mut best);
    best.1
}

fn search(table: &DeTable<'_>, span: &Range<usize>, path: &mut Path, best: &mut (usize, Path)) {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().to_string()));
        consider(&key.span(), span, path, best);
        within(value, span, path, best);
        path.pop();
    }
}

fn within(
    value: &Spanned<DeValue<'_>>,
    span: &Range<usize>,
    path: &mut Path,
    best: &mut (usize, Path),
) {
    consider(&value.span(), span, path, best);
    match value.get_ref() {
        DeValue::Table(table) => search(table, span, path, best),
        DeValue::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                if item.get_ref().is_table() {
                    path.push(Step::Item(position));
                    within(item, span, path, best);
                    path.pop();
                }
            }
        }
        _ => {}
    }
}

fn consider(own: &Range<usize>, span: &Range<usize>, path: &Path, best: &mut (usize, Path)) {
    let holds = !span.is_empty() && own.start <= span.start && span.end <= own.end;
    if holds && own.len() <= best.0 {
        *best = (own.len(), path.clone());
    }
}

/// Some errors only say in which table a key is wrong.
fn descend_to(table: &DeTable<'_>, path: &mut Path, name: &str) {
    let inside = table_at(table, path);
    if inside.is_some_and(|inside| inside.keys().any(|key| key.get_ref() == name)) {
        path.push(Step::Key(name.to_owned()));
    }
}

fn table_at<'a, 'i>(table: &'a DeTable<'i>, path: &[Step]) -> Option<&'a DeTable<'i>> {
    let mut at = table;
    let mut steps = path.iter();
    while let Some(step) = steps.next() {
        let Step::Key(name) = step else { return None };
        let value = at.iter().find(|(key, _)| key.get_ref() == name)?.1;
        at = match (value.get_ref(), steps.as_slice()) {
            (DeValue::Array(items), [Step::Item(position), ..]) => {
                steps.next();
                items.get(*position)?.get_ref().as_table()?
            }
            (value, _) => value.as_table()?,
        };
    }
    Some(at)
}

/// Where a key stands.
fn entry(table: &DeTable<'_>, path: &[Step]) -> Option<Range<usize>> {
    let (Step::Key(name), parent) = path.split_last()? else { return None };
    let key = table_at(table, parent)?.keys().find(|key| key.get_ref() == name)?;
    Some(key.span())
}

/// Whether what was taken out is a table; `None` when it was not there.
fn take_out(table: &mut DeTable<'_>, path: &[Step]) -> Option<bool> {
    let (Step::Key(name), rest) = path.split_first()? else { return None };
    if rest.is_empty() {
        return table.remove(name.as_str()).map(|value| value.get_ref().is_table());
    }
    let (_, value) = table.iter_mut().find(|(key, _)| key.get_ref() == name)?;
    match (value.get_mut(), rest) {
        (DeValue::Table(inner), rest) => take_out(inner, rest),
        (DeValue::Array(items), [Step::Item(position)]) => {
            let before = std::mem::replace(items, DeArray::new()).into_iter().enumerate();
            *items = before.filter(|(at, _)| at != position).map(|(_, item)| item).collect();
            Some(true)
        }
        (DeValue::Array(items), [Step::Item(position), rest @ ..]) => {
            match items.get_mut(*position)?.get_mut() {
                DeValue::Table(inner) => take_out(inner, rest),
                _ => None,
            }
        }
        _ => None,
    }
}

/// An admin reads no more than this of one file at once.
const MISTAKES_MAX: usize = 50;
