//! The numbers of a request, one tensor behind the other in one vector, and what is found out about
//! each tensor while it is read: its layout, and which of its numbers suit which datatype.

use zeroize::Zeroizing;

use super::datatype::{Datatype, Unfit, integer};
use super::{Place, Refusal};

/// All numbers of one request. They are plaintext: no Debug, and wiped on drop.
pub(super) struct Numbers<'a> {
    features: &'a [String],
    rows_max: usize,
    values: Zeroizing<Vec<f32>>,
    current: Found,
    /// The position in the current row, or in the whole flat list.
    column: usize,
    in_row: bool,
    open: bool,
}

/// One tensor that has been read.
#[derive(Clone, Default)]
pub(super) struct Found {
    /// Which features its rows hold; unknown as long as its name is.
    pub(super) columns: Option<Columns>,
    pub(super) layout: Layout,
    /// Where its numbers begin among those that were kept.
    start: usize,
    /// The length of its rows, as the first one has it.
    width: Option<usize>,
    inexact: Option<usize>,
    boolean: Option<usize>,
}

/// Which features the rows of a tensor hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// All, in the model's order.
    All,
    /// One, by its position.
    One(usize),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Layout {
    /// No `data` was read.
    #[default]
    Absent,
    /// `[]` so far.
    Empty,
    /// `[1, 2, ..]`, so many numbers.
    Flat(usize),
    /// `[[1, 2, ..], ..]`, so many whole rows.
    Rows(usize),
}

impl<'a> Numbers<'a> {
    /// Room for all numbers the body could hold, so that growing leaves no copies behind.
    pub(super) fn new(features: &'a [String], rows_max: usize, numbers_max: usize) -> Self {
        let room = features.len().saturating_mul(rows_max).min(numbers_max);
        Self {
            features,
            rows_max,
            values: Zeroizing::new(Vec::with_capacity(room)),
            current: Found::default(),
            column: 0,
            in_row: false,
            open: false,
        }
    }

    /// Begins a tensor.
    pub(super) fn begin(&mut self, columns: Option<Columns>) {
        self.current = Found { columns, start: self.values.len(), ..Found::default() };
        (self.column, self.in_row, self.open) = (0, false, false);
    }

    /// Says what the tensor is about, as soon as its name is read.
    pub(super) fn name(&mut self, columns: Columns) -> Result<(), Refusal> {
        self.current.columns = Some(columns);
        let features = self.width(columns);
        match (self.current.layout, self.current.width) {
            (Layout::Rows(1..), Some(found)) if found != features => {
                Err(Refusal::RowLength { row: 0, found, features })
            }
            _ => Ok(()),
        }
    }

    /// The list of numbers or rows begins.
    pub(super) const fn enter(&mut self) {
        (self.current.layout, self.open) = (Layout::Empty, true);
    }

    /// It ends.
    pub(super) const fn leave(&mut self) {
        self.open = false;
    }

    /// What has been read since [`Numbers::begin`].
    pub(super) fn found(&mut self) -> Found {
        std::mem::take(&mut self.current)
    }

    /// How long a row of such columns is.
    pub(super) const fn width(&self, columns: Columns) -> usize {
        match columns {
            Columns::All => self.features.len(),
            Columns::One(_) => 1,
        }
    }

    #[inline]
    pub(super) fn push_f64(&mut self, value: f64) -> Result<(), Refusal> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "too large becomes infinite and is refused"
        )]
        let narrow = value as f32;
        if f64::from(narrow) != value {
            self.note_inexact();
        }
        self.push(narrow)
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "as other readers of JSON have it: through 64 bits, to the nearest"
    )]
    pub(super) fn push_integer(&mut self, value: i128) -> Result<(), Refusal> {
        let exact = integer(value);
        if exact.is_err() {
            self.note_inexact();
        }
        self.push(exact.unwrap_or(value as f64 as f32))
    }

    pub(super) fn push_bool(&mut self, value: bool) -> Result<(), Refusal> {
        self.current.boolean.get_or_insert(self.position());
        self.push(f32::from(u8::from(value)))
    }

    fn note_inexact(&mut self) {
        let position = self.position();
        self.current.inexact.get_or_insert(position);
    }

    /// How many numbers of the tensor stand before the next one.
    fn position(&self) -> usize {
        match self.current.layout {
            Layout::Rows(rows) => rows * self.row_width() + self.column,
            _ => self.column,
        }
    }

    fn row_width(&self) -> usize {
        let named = self.current.columns.map(|columns| self.width(columns));
        named.or(self.current.width).unwrap_or(self.features.len())
    }

    #[inline]
    fn push(&mut self, value: f32) -> Result<(), Refusal> {
        self.column += 1;
        match &mut self.current.layout {
            Layout::Rows(_) if !self.in_row => return Err(Refusal::ShapeMixed),
            Layout::Rows(_) => {}
            layout => *layout = Layout::Flat(self.column),
        }
        if !value.is_finite() {
            self.column -= 1;
            return Err(Refusal::NotFinite { place: self.place() });
        }
        self.keep(value);
        Ok(())
    }

    /// Numbers beyond the room are counted, for the sentence, and not kept.
    fn keep(&mut self, value: f32) {
        if self.values.len() < self.features.len().saturating_mul(self.rows_max) {
            self.values.push(value);
        }
    }

    pub(super) fn begin_row(&mut self) -> Result<(), Refusal> {
        let rows = match self.current.layout {
            Layout::Absent | Layout::Empty => 0,
            Layout::Rows(row) if self.in_row => return Err(Refusal::ShapeDeep { row }),
            Layout::Rows(rows) => rows,
            Layout::Flat(_) => return Err(Refusal::ShapeMixed),
        };
        if rows >= self.rows_max {
            return Err(Refusal::TooManyRows { max: self.rows_max });
        }
        (self.current.layout, self.column, self.in_row) = (Layout::Rows(rows), 0, true);
        Ok(())
    }

    pub(super) fn end_row(&mut self) -> Result<(), Refusal> {
        let (row, found) = (self.row(), self.column);
        let named = self.current.columns.map(|columns| self.width(columns));
        let features = named.unwrap_or_else(|| *self.current.width.get_or_insert(found));
        if found != features {
            return Err(Refusal::RowLength { row, found, features });
        }
        (self.current.layout, self.column, self.in_row) = (Layout::Rows(row + 1), 0, false);
        Ok(())
    }

    /// Reads a binary tensor of a known length as one that has just begun.
    pub(super) fn read(&mut self, datatype: Datatype, bytes: &[u8]) -> Result<(), Refusal> {
        self.enter();
        datatype.read(bytes, |value| match value {
            Ok(value) => {
                self.column += 1;
                self.keep(value);
                Ok(())
            }
            Err(unfit) => Err(unfit.at(self.place())),
        })?;
        self.current.layout = Layout::Flat(self.column);
        self.leave();
        Ok(())
    }

    const fn row(&self) -> usize {
        match self.current.layout {
            Layout::Rows(rows) => rows,
            Layout::Absent | Layout::Empty | Layout::Flat(_) => 0,
        }
    }

    /// Where the next number would stand.
    pub(super) fn place(&self) -> Place {
        let (row, column) = match (self.current.layout, self.row_width()) {
            (Layout::Rows(row), _) => (row, self.column),
            (_, width @ 1..) => (self.column / width, self.column % width),
            (_, 0) => (0, self.column),
        };
        self.place_of(self.current.columns, row, column)
    }

    /// Where a feature of the current row stands.
    pub(super) fn place_at(&self, feature: usize) -> Place {
        self.place_of(Some(Columns::One(feature)), self.row(), 0)
    }

    fn place_of(&self, columns: Option<Columns>, row: usize, column: usize) -> Place {
        let feature = match columns {
            Some(Columns::One(feature)) => feature,
            Some(Columns::All) | None => column,
        };
        Place { row, feature, name: self.features.get(feature).cloned() }
    }

    /// Where reading stopped, if it stopped among the numbers.
    pub(super) fn place_if_open(&self) -> Option<Place> {
        self.open.then(|| self.place())
    }

    /// The numbers of a tensor of so many rows.
    pub(super) fn of(&self, found: &Found, columns: Columns, rows: usize) -> &[f32] {
        let end = rows.saturating_mul(self.width(columns)).saturating_add(found.start);
        self.values.get(found.start..end).unwrap_or_default()
    }

    /// Refuses the first number that is no value of the tensor's datatype; for what stood in JSON,
    /// whose numbers may come before their datatype.
    pub(super) fn suit(
        &self,
        found: &Found,
        columns: Columns,
        rows: usize,
        datatype: Datatype,
    ) -> Result<(), Refusal> {
        let width = self.width(columns).max(1);
        let at = |index: usize| self.place_of(Some(columns), index / width, index % width);
        if let Some(index) = found.boolean.filter(|_| datatype != Datatype::Bool) {
            return Err(Refusal::NotANumber { place: at(index) });
        }
        if let Some(index) = found.inexact.filter(|_| datatype.is_whole()) {
            return Err(Refusal::NotExact { place: at(index) });
        }
        let unfit = |value: &f32| !datatype.holds(*value);
        match self.of(found, columns, rows).iter().position(unfit) {
            Some(index) => Err(Refusal::NotOfDatatype { place: at(index) }),
            None => Ok(()),
        }
    }

    /// All numbers, when they are the rows.
    pub(super) fn take(&mut self) -> Vec<f32> {
        std::mem::take(&mut *self.values)
    }
}

impl Unfit {
    fn at(self, place: Place) -> Refusal {
        match self {
            Self::NotFinite => Refusal::NotFinite { place },
            Self::Inexact => Refusal::NotExact { place },
            Self::NotOfType => Refusal::NotOfDatatype { place },
        }
    }
}
