//! The numbers of a tensor, read straight from the text into one vector: flat or as rows.

use super::reader::Reader;
use super::{Place, Refusal};
use sealgate_model::Rows;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use zeroize::Zeroizing;

/// The tensor while it is being read. It is plaintext: no Debug, and wiped on drop.
pub(super) struct Tensor<'a> {
    features: &'a [String],
    rows_max: usize,
    values: Zeroizing<Vec<f32>>,
    layout: Layout,
    /// The position in the current row, or in the whole flat list.
    column: usize,
    in_row: bool,
    open: bool,
}

#[derive(Clone, Copy)]
enum Layout {
    /// No `data` was read.
    Absent,
    /// `[]` so far.
    Empty,
    /// `[1, 2, ..]`
    Flat,
    /// `[[1, 2, ..], ..]`, so many whole rows.
    Rows(usize),
}

impl<'a> Tensor<'a> {
    /// Room for all numbers the body could hold, so that growing leaves no copies behind.
    pub(super) fn new(features: &'a [String], rows_max: usize, body_bytes: usize) -> Self {
        // A number and its comma take two bytes at least.
        let room = features.len().saturating_mul(rows_max).min(body_bytes / 2 + 1);
        Self {
            features,
            rows_max,
            values: Zeroizing::new(Vec::with_capacity(room)),
            layout: Layout::Absent,
            column: 0,
            in_row: false,
            open: false,
        }
    }

    /// The rows, if the data agrees with a shape of the Open Inference Protocol.
    pub(super) fn shaped(&mut self, shape: &[u64]) -> Result<Rows, Refusal> {
        let features = self.features.len();
        let &[rows, width] = shape else { return Err(Refusal::ShapeForm { features }) };
        let (rows, width) = (usize::try_from(rows), usize::try_from(width));
        let (Ok(rows), Ok(width)) = (rows, width) else {
            return Err(Refusal::ShapeForm { features });
        };
        if rows == 0 {
            return Err(Refusal::NoRows);
        }
        if width != features {
            return Err(Refusal::ShapeWidth { features });
        }
        if rows > self.rows_max {
            return Err(Refusal::TooManyRows { max: self.rows_max });
        }
        match self.layout {
            Layout::Absent => return Err(Refusal::MemberMissing { member: "data" }),
            Layout::Rows(found) if found != rows => {
                return Err(Refusal::ShapeRows { rows, found });
            }
            Layout::Empty | Layout::Flat if Some(self.column) != rows.checked_mul(features) => {
                return Err(Refusal::ShapeNumbers { rows, features, found: self.column });
            }
            _ => {}
        }
        self.take(rows)
    }

    /// The rows as they were sent, and whether it was one row without an outer list.
    pub(super) fn as_sent(&mut self) -> Result<(Rows, bool), Refusal> {
        let features = self.features.len();
        match self.layout {
            Layout::Absent | Layout::Empty => Err(Refusal::NoRows),
            Layout::Flat if self.column != features => {
                Err(Refusal::RowLength { row: 0, found: self.column, features })
            }
            Layout::Flat if self.rows_max == 0 => Err(Refusal::TooManyRows { max: 0 }),
            Layout::Flat => Ok((self.take(1)?, true)),
            Layout::Rows(rows) => Ok((self.take(rows)?, false)),
        }
    }

    fn take(&mut self, rows: usize) -> Result<Rows, Refusal> {
        let values = std::mem::take(&mut *self.values);
        let found = values.len();
        let features = self.features.len();
        // Each disagreement has been refused above with its own sentence; the model's own check is
        // the last word all the same.
        Rows::new(rows, features, values).map_err(|_| Refusal::ShapeNumbers {
            rows,
            features,
            found,
        })
    }

    fn push(&mut self, value: f64) -> Result<(), Refusal> {
        match self.layout {
            Layout::Rows(_) if !self.in_row => return Err(Refusal::ShapeMixed),
            Layout::Rows(_) | Layout::Flat => {}
            Layout::Absent | Layout::Empty => self.layout = Layout::Flat,
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "too large becomes infinite and is refused"
        )]
        let value = value as f32;
        if !value.is_finite() {
            return Err(Refusal::NotFinite { place: self.place() });
        }
        // Numbers beyond the room are counted, for the sentence, and not kept.
        if self.values.len() < self.features.len().saturating_mul(self.rows_max) {
            self.values.push(value);
        }
        self.column += 1;
        Ok(())
    }

    fn begin_row(&mut self) -> Result<(), Refusal> {
        let rows = match self.layout {
            Layout::Absent | Layout::Empty => 0,
            Layout::Rows(row) if self.in_row => return Err(Refusal::ShapeDeep { row }),
            Layout::Rows(rows) => rows,
            Layout::Flat => return Err(Refusal::ShapeMixed),
        };
        if rows >= self.rows_max {
            return Err(Refusal::TooManyRows { max: self.rows_max });
        }
        (self.layout, self.column, self.in_row) = (Layout::Rows(rows), 0, true);
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), Refusal> {
        let (row, features) = (self.row(), self.features.len());
        if self.column != features {
            return Err(Refusal::RowLength { row, found: self.column, features });
        }
        (self.layout, self.column, self.in_row) = (Layout::Rows(row + 1), 0, false);
        Ok(())
    }

    const fn row(&self) -> usize {
        match self.layout {
            Layout::Rows(rows) => rows,
            Layout::Absent | Layout::Empty | Layout::Flat => 0,
        }
    }

    /// Where the next number would stand.
    fn place(&self) -> Place {
        let (row, feature) = match (self.layout, self.features.len()) {
            (Layout::Flat, width @ 1..) => (self.column / width, self.column % width),
            _ => (self.row(), self.column),
        };
        Place { row, feature, name: self.features.get(feature).cloned() }
    }

    /// Where reading stopped, if it stopped among the numbers.
    pub(super) fn place_if_open(&self) -> Option<Place> {
        self.open.then(|| self.place())
    }
}

/// Reads the list of numbers or rows.
pub(super) struct Data<'r, 'a>(pub(super) &'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Data<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Data<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of numbers or of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        (self.0.tensor.layout, self.0.tensor.open) = (Layout::Empty, true);
        while seq.next_element_seed(Item(&mut *self.0))?.is_some() {}
        self.0.tensor.open = false;
        Ok(())
    }
}

/// Reads one number, or one row of them.
struct Item<'r, 'a>(&'r mut Reader<'a>);

impl Item<'_, '_> {
    #[inline]
    fn number<E: de::Error>(self, value: f64) -> Result<(), E> {
        let step = self.0.tensor.push(value);
        self.0.note(step)
    }

    fn no_number<E: de::Error>(self) -> E {
        let place = self.0.tensor.place();
        self.0.refuse(Refusal::NotANumber { place })
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, '_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number or a row")
    }

    #[inline]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.number(value)
    }

    #[expect(clippy::cast_precision_loss, reason = "a 32-bit float is even coarser")]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.number(value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "a 32-bit float is even coarser")]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.number(value as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let step = self.0.tensor.begin_row();
        self.0.note(step)?;
        while seq.next_element_seed(Item(&mut *self.0))?.is_some() {}
        let step = self.0.tensor.end_row();
        self.0.note(step)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(self.no_number())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(self.no_number())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Err(self.no_number())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Err(self.no_number())
    }
}
