//! `TensorProto`: a shape, a type, and the values in one of six places.

use super::wire::{Field, Fields, damaged};
use crate::error::shown;
use crate::float::{self, Stored};
use crate::tensor::{Budget, ELEMENTS_MAX, RANK_MAX, Tensor, Values, element_count};
use crate::{ImportError, WIDTH_MAX};

/// What a file's weights are read with.
pub(super) struct Weights<'a> {
    pub(super) budget: Budget,
    /// The file beside the model, when there is one.
    pub(super) outside: Option<&'a [u8]>,
}

/// A tensor as it is written, not yet read.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) name: &'a str,
    shape: Vec<i64>,
    data_type: i64,
    raw: Option<&'a [u8]>,
    floats: Vec<f64>,
    integers: Vec<i64>,
    texts: Vec<String>,
    pub(super) outside: Option<Outside<'a>>,
}

/// Where in another file the values are.
#[derive(Clone, Copy, Default)]
pub(super) struct Outside<'a> {
    pub(super) file: &'a str,
    offset: usize,
    length: Option<usize>,
}

impl<'a> Message<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, ImportError> {
        let mut read = Self::default();
        let max = ELEMENTS_MAX;
        let (mut is_outside, mut place) = (false, Outside::default());
        for field in Fields::of(message) {
            match field? {
                (1, field) => field.integers(&mut read.shape, RANK_MAX)?,
                (2, field) => read.data_type = field.integer()?,
                (4, field) => field.floats(&mut read.floats, max)?,
                (5 | 7, field) => field.integers(&mut read.integers, max)?,
                (6, field) => field.texts(&mut read.texts, WIDTH_MAX)?,
                (8, field) => read.name = field.text()?,
                (9, field) => read.raw = Some(field.bytes()?),
                (10, field) => field.doubles(&mut read.floats, max)?,
                (13, field) => place.entry(field)?,
                (14, field) => is_outside = field.integer()? == OUTSIDE,
                _ => {}
            }
        }
        read.outside = is_outside.then_some(place);
        Ok(read)
    }

    /// The short forms of a constant: numbers in an attribute of their own.
    pub(super) fn of_lists(floats: Vec<f64>, integers: Vec<i64>) -> Self {
        let count = floats.len().max(integers.len());
        let shape =
            if count == 1 { vec![] } else { vec![i64::try_from(count).unwrap_or(i64::MAX)] };
        let data_type = if floats.is_empty() { INT64 } else { FLOAT };
        Self { shape, data_type, floats, integers, ..Self::default() }
    }

    pub(super) fn into_tensor(self, weights: &mut Weights<'a>) -> Result<Tensor, ImportError> {
        let name = self.name;
        let refused = |what| ImportError::Tensor { tensor: shown(name), what };
        let dimension = |&dimension: &i64| usize::try_from(dimension).ok();
        let shape: Option<Vec<usize>> = self.shape.iter().map(dimension).collect();
        let shape = shape.ok_or_else(|| refused("has a dimension below zero"))?;
        let count = element_count(&shape).ok_or_else(|| refused(TOO_LARGE))?;
        weights.budget.take(count)?;
        if self.data_type == STRING {
            return Tensor::new(name, shape, Values::Texts(self.texts));
        }
        let stored = stored(self.data_type).ok_or_else(|| refused("is of an unknown type"))?;
        let raw = match self.outside {
            Some(place) => Some(
                place
                    .bytes(weights.outside)
                    .ok_or(ImportError::Outside { file: shown(place.file) })?,
            ),
            None => self.raw,
        };
        if raw.is_some_and(|raw| Some(raw.len()) != count.checked_mul(stored.width())) {
            return Err(refused("has not as many bytes as its shape says"));
        }
        let values = match (stored.is_float(), raw) {
            (true, Some(raw)) => Values::Floats(float::floats(stored, raw)),
            (false, Some(raw)) => Values::Integers(float::integers(stored, raw)),
            // Half precision without `raw_data` stands as bits in a list of integers.
            (true, None) if matches!(stored, Stored::F16 | Stored::Bf16) => {
                let bits = |value: &i64| (*value as u16).to_le_bytes();
                let bytes: Vec<u8> = self.integers.iter().flat_map(bits).collect();
                Values::Floats(float::floats(stored, &bytes))
            }
            (true, None) => Values::Floats(self.floats),
            (false, None) => Values::Integers(self.integers),
        };
        Tensor::new(name, shape, values)
    }
}

impl<'a> Outside<'a> {
    /// One `StringStringEntryProto`.
    fn entry(&mut self, entry: Field<'a>) -> Result<(), ImportError> {
        let (mut key, mut value) = ("", "");
        for field in Fields::of(entry.bytes()?) {
            match field? {
                (1, field) => key = field.text()?,
                (2, field) => value = field.text()?,
                _ => {}
            }
        }
        let number = || value.parse().map_err(|_| damaged("a place in another file is no number"));
        match key {
            "location" => self.file = value,
            "offset" => self.offset = number()?,
            "length" => self.length = Some(number()?),
            _ => {}
        }
        Ok(())
    }

    fn bytes(self, file: Option<&'a [u8]>) -> Option<&'a [u8]> {
        let rest = file?.get(self.offset..)?;
        match self.length {
            Some(length) => rest.get(..length),
            None => Some(rest),
        }
    }
}

/// `TensorProto.DataType`.
fn stored(data_type: i64) -> Option<Stored> {
    Some(match data_type {
        1 => Stored::F32,
        // Booleans are bytes.
        2 | 9 => Stored::U8,
        3 => Stored::I8,
        6 => Stored::I32,
        7 => Stored::I64,
        10 => Stored::F16,
        11 => Stored::F64,
        16 => Stored::Bf16,
        _ => return None,
    })
}

const FLOAT: i64 = 1;
const INT64: i64 = 7;
const STRING: i64 = 8;
/// `TensorProto.DataLocation`.
const OUTSIDE: i64 = 1;
const TOO_LARGE: &str = "is larger than any network has";
