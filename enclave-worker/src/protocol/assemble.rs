//! Inputs to rows: shapes against numbers, binary tensors, and columns side by side.

use sealgate_model::Rows;
use zeroize::Zeroizing;

use super::datatype::Datatype;
use super::input::{Input, Source};
use super::numbers::{Columns, Found, Layout, Numbers};
use super::{Interface, Refusal};

/// What is needed to put rows together.
pub(super) struct Assembly<'r, 'a> {
    pub(super) interface: &'a Interface<'a>,
    pub(super) rows_max: usize,
    pub(super) numbers: &'r mut Numbers<'a>,
}

impl Assembly<'_, '_> {
    /// The rows of a request; the bytes of its binary tensors are `binary`, in their order.
    pub(super) fn rows(&mut self, inputs: Vec<Input<'_>>, binary: &[u8]) -> Result<Rows, Refusal> {
        let mut rest = binary;
        let mut parts = Vec::with_capacity(inputs.len());
        let mut agreed = None;
        for input in inputs {
            let rows = self.rows_of(&input)?;
            if *agreed.get_or_insert(rows) != rows {
                let feature = input.columns.name(self.interface).to_owned();
                let rows_before = agreed.unwrap_or_default();
                return Err(Refusal::ColumnRows { feature, rows: rows_before, found: rows });
            }
            let found = match input.numbers {
                Source::Read(found) => {
                    self.agree(&found, input.columns, rows)?;
                    self.numbers.suit(&found, input.columns, rows, input.datatype)?;
                    found
                }
                Source::Behind(bytes) => {
                    let needed = self.needed(&input, rows, bytes)?;
                    let (tensor, behind) =
                        rest.split_at_checked(needed).ok_or_else(|| self.size(&input, needed))?;
                    rest = behind;
                    self.read(input.columns, input.datatype, tensor)?
                }
                Source::Bytes(tensor) => {
                    self.needed(&input, rows, tensor.len())?;
                    self.read(input.columns, input.datatype, tensor)?
                }
            };
            parts.push((input.columns, found));
        }
        if !rest.is_empty() {
            return Err(Refusal::BinaryRest);
        }
        let input = self.interface.input;
        let rows = agreed.ok_or_else(|| Refusal::InputMissing { input: input.to_owned() })?;
        self.together(&parts, rows)
    }

    /// Rows that were sent without a shape, and whether it was one without an outer list.
    pub(super) fn as_sent(&mut self) -> Result<(Rows, bool), Refusal> {
        let features = self.interface.features.len();
        let found = self.numbers.found();
        let (rows, is_one) = match found.layout {
            Layout::Absent | Layout::Empty => return Err(Refusal::NoRows),
            Layout::Flat(numbers) if numbers != features => {
                return Err(Refusal::RowLength { row: 0, found: numbers, features });
            }
            Layout::Flat(_) if self.rows_max == 0 => {
                return Err(Refusal::TooManyRows { max: 0 });
            }
            Layout::Flat(_) => (1, true),
            Layout::Rows(rows) => (rows, false),
        };
        self.numbers.suit(&found, Columns::All, rows, Datatype::Fp32)?;
        Ok((self.together(&[(Columns::All, found)], rows)?, is_one))
    }

    /// Tensors that were sent without shapes, each with as many rows as the others.
    pub(super) fn listed(&mut self, parts: &[(Columns, Found)]) -> Result<Rows, Refusal> {
        let mut agreed = None;
        for (columns, found) in parts {
            let features = self.numbers.width(*columns);
            let rows = match found.layout {
                Layout::Absent | Layout::Empty => return Err(Refusal::NoRows),
                Layout::Flat(_) if features > 1 => return Err(Refusal::ShapeForm { features }),
                Layout::Flat(rows) | Layout::Rows(rows) => self.bounded(rows)?,
            };
            let before = *agreed.get_or_insert(rows);
            if before != rows {
                let feature = columns.name(self.interface).to_owned();
                return Err(Refusal::ColumnRows { feature, rows: before, found: rows });
            }
            self.numbers.suit(found, *columns, rows, Datatype::Fp32)?;
        }
        self.together(parts, agreed.ok_or(Refusal::NoRows)?)
    }

    /// A whole body of 32-bit floats.
    pub(super) fn raw(&mut self, body: &[u8]) -> Result<Rows, Refusal> {
        let features = self.interface.features.len();
        let row_bytes = features.saturating_mul(Datatype::Fp32.bytes()).max(1);
        if !body.len().is_multiple_of(row_bytes) {
            return Err(Refusal::BinaryRows { features });
        }
        let rows = self.bounded(body.len() / row_bytes)?;
        let found = self.read(Columns::All, Datatype::Fp32, body)?;
        self.together(&[(Columns::All, found)], rows)
    }

    /// How many rows a shape promises.
    fn rows_of(&self, input: &Input<'_>) -> Result<usize, Refusal> {
        let features = self.numbers.width(input.columns);
        let (rows, width) = match (input.shape.as_slice(), input.columns) {
            (&[rows, width], _) => (rows, width),
            (&[rows], Columns::One(_)) => (rows, 1),
            (_, Columns::All) => return Err(Refusal::ShapeForm { features }),
            (_, Columns::One(_)) => return Err(self.column_shape(input)),
        };
        let (Ok(rows), Ok(width)) = (usize::try_from(rows), usize::try_from(width)) else {
            return Err(Refusal::ShapeForm { features });
        };
        if rows == 0 {
            return Err(Refusal::NoRows);
        }
        match input.columns {
            _ if width == features => self.bounded(rows),
            Columns::All => Err(Refusal::ShapeWidth { features }),
            Columns::One(_) => Err(self.column_shape(input)),
        }
    }

    fn column_shape(&self, input: &Input<'_>) -> Refusal {
        Refusal::ShapeColumn { feature: input.columns.name(self.interface).to_owned() }
    }

    fn bounded(&self, rows: usize) -> Result<usize, Refusal> {
        match rows {
            0 => Err(Refusal::NoRows),
            _ if rows > self.rows_max => Err(Refusal::TooManyRows { max: self.rows_max }),
            _ => Ok(rows),
        }
    }

    /// The numbers that were read must be as many as the shape promises.
    fn agree(&self, found: &Found, columns: Columns, rows: usize) -> Result<(), Refusal> {
        let features = self.numbers.width(columns);
        match found.layout {
            Layout::Absent => Err(Refusal::MemberMissing { member: "data" }),
            Layout::Rows(found) if found != rows => Err(Refusal::ShapeRows { rows, found }),
            Layout::Rows(_) => Ok(()),
            Layout::Empty => Err(Refusal::ShapeNumbers { rows, features, found: 0 }),
            Layout::Flat(found) if Some(found) != rows.checked_mul(features) => {
                Err(Refusal::ShapeNumbers { rows, features, found })
            }
            Layout::Flat(_) => Ok(()),
        }
    }

    /// How many bytes a binary tensor takes, which it must have.
    fn needed(&self, input: &Input<'_>, rows: usize, bytes: usize) -> Result<usize, Refusal> {
        let numbers = rows.saturating_mul(self.numbers.width(input.columns));
        let needed = numbers.saturating_mul(input.datatype.bytes());
        if bytes == needed { Ok(needed) } else { Err(self.size(input, needed)) }
    }

    fn size(&self, input: &Input<'_>, needed: usize) -> Refusal {
        Refusal::BinarySize { input: input.columns.name(self.interface).to_owned(), needed }
    }

    fn read(
        &mut self,
        columns: Columns,
        datatype: Datatype,
        bytes: &[u8],
    ) -> Result<Found, Refusal> {
        self.numbers.begin(Some(columns));
        self.numbers.read(datatype, bytes)?;
        Ok(self.numbers.found())
    }

    /// One tensor is taken as it is; columns are laid side by side.
    fn together(&mut self, parts: &[(Columns, Found)], rows: usize) -> Result<Rows, Refusal> {
        let features = self.interface.features.len();
        let values = match parts {
            [(Columns::All, _)] => self.numbers.take(),
            _ => self.side_by_side(parts, rows)?,
        };
        let found = values.len();
        // Each disagreement has been refused above with its own sentence; the model's own check is
        // the last word all the same.
        Rows::new(rows, features, values).map_err(|_| Refusal::ShapeNumbers {
            rows,
            features,
            found,
        })
    }

    fn side_by_side(&self, parts: &[(Columns, Found)], rows: usize) -> Result<Vec<f32>, Refusal> {
        let features = self.interface.features;
        let mut values = Zeroizing::new(vec![0.0; rows.saturating_mul(features.len())]);
        let mut missing = vec![true; features.len()];
        for (columns, found) in parts {
            let Columns::One(feature) = *columns else { continue };
            let places = values.iter_mut().skip(feature).step_by(features.len().max(1));
            for (place, value) in places.zip(self.numbers.of(found, *columns, rows)) {
                *place = *value;
            }
            missing.get_mut(feature).into_iter().for_each(|missing| *missing = false);
        }
        match features.iter().zip(missing).find(|(_, missing)| *missing) {
            Some((feature, _)) => Err(Refusal::InputMissing { input: feature.clone() }),
            None => Ok(std::mem::take(&mut *values)),
        }
    }
}
