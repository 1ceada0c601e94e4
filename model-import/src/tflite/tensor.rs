//! Stored tensors of TFLite: numbers, or small integers with a scale.

use super::flat::Table;
use crate::error::shown;
use crate::float::{self, Stored};
use crate::tensor::{Budget, RANK_MAX, Tensor, Values, element_count};
use crate::{ImportError, WIDTH_MAX};

/// The numbers of `TensorType` that rows and answers may have: only one.
pub(super) const FLOAT32: u8 = 0;

/// Reads what a buffer holds for a tensor of this table.
pub(super) fn read(
    table: Table<'_>,
    name: &str,
    buffer: &[u8],
    budget: &mut Budget,
) -> Result<Tensor, ImportError> {
    let refused = |what| ImportError::Tensor { tensor: shown(name), what };
    let dimensions = table.integers(0)?;
    if dimensions.len() > RANK_MAX {
        return Err(refused("has too many dimensions"));
    }
    let shape: Option<Vec<usize>> = dimensions.iter().map(|&d| usize::try_from(d).ok()).collect();
    let shape = shape.ok_or_else(|| refused("has a dimension below zero"))?;
    let Some(stored) = stored(table.byte(1)?) else {
        return Err(refused("is of a type that no weights have"));
    };
    if table.table(6)?.is_some() {
        return Err(refused("is stored as a sparse one"));
    }
    let count = element_count(&shape).and_then(|count| count.checked_mul(stored.width()));
    if count != Some(buffer.len()) {
        return Err(refused("has not as many bytes as its shape says"));
    }
    budget.take(buffer.len() / stored.width())?;
    if stored.is_float() {
        return Tensor::new(name, shape, Values::Floats(float::floats(stored, buffer)));
    }
    let integers = float::integers(stored, buffer);
    let values = match Quantisation::read(table, &shape)? {
        None => Values::Integers(integers),
        Some(quantisation) => {
            Values::Floats(quantisation.undo(&integers).ok_or_else(|| refused(SCALES))?)
        }
    };
    Tensor::new(name, shape, values)
}

/// `value = scale (stored - zero point)`, one of each for the tensor or for each channel.
struct Quantisation {
    scales: Vec<f64>,
    zero_points: Vec<i64>,
    channels: usize,
    /// How many elements of one channel follow each other.
    run: usize,
}

impl Quantisation {
    fn read(table: Table<'_>, shape: &[usize]) -> Result<Option<Self>, ImportError> {
        let Some(table) = table.table(4)? else { return Ok(None) };
        let (scales, zero_points) = (table.vector(2, 4)?, table.vector(3, 8)?);
        if scales.is_empty() {
            return Ok(None);
        }
        // Many tensors may share one list.
        if scales.len() > 4 * WIDTH_MAX || zero_points.len() > 8 * WIDTH_MAX {
            return Err(ImportError::Limit { what: "scales of a tensor", max: WIDTH_MAX });
        }
        let scales = float::floats(Stored::F32, scales);
        let zero_points = float::integers(Stored::I64, zero_points);
        let axis = usize::try_from(table.i32(6)?).unwrap_or(usize::MAX);
        let channels = shape.get(axis).copied().unwrap_or(1);
        let run = shape.iter().skip(axis.saturating_add(1)).product();
        Ok(Some(Self { scales, zero_points, channels, run }))
    }

    fn undo(&self, stored: &[i64]) -> Option<Vec<f64>> {
        let fits = |count: usize| count == 1 || count == self.channels;
        if !fits(self.scales.len())
            || !(self.zero_points.is_empty() || fits(self.zero_points.len()))
        {
            return None;
        }
        let channel =
            |at: usize| at.checked_div(self.run).and_then(|at| at.checked_rem(self.channels));
        let value = |(at, &stored): (usize, &i64)| {
            let channel = channel(at)?;
            let scale = of(&self.scales, channel)?;
            let zero_point =
                if self.zero_points.is_empty() { 0 } else { of(&self.zero_points, channel)? };
            Some(scale * (stored as f64 - zero_point as f64))
        };
        stored.iter().enumerate().map(value).collect()
    }
}

/// The element of a channel, or the only one.
fn of<T: Copy>(list: &[T], channel: usize) -> Option<T> {
    match list {
        [only] => Some(*only),
        _ => list.get(channel).copied(),
    }
}

/// `TensorType`.
fn stored(number: u8) -> Option<Stored> {
    Some(match number {
        FLOAT32 => Stored::F32,
        1 => Stored::F16,
        2 => Stored::I32,
        // Booleans are bytes.
        3 | 6 => Stored::U8,
        4 => Stored::I64,
        9 => Stored::I8,
        10 => Stored::F64,
        18 => Stored::Bf16,
        _ => return None,
    })
}

const SCALES: &str = "has not as many scales as channels";

#[cfg(test)]
mod tests {
    use super::Quantisation;

    #[test]
    fn each_channel_has_its_own_scale_and_zero_point() {
        let quantisation =
            Quantisation { scales: vec![0.5, 2.0], zero_points: vec![0, 1], channels: 2, run: 3 };
        let values = quantisation.undo(&[2, 4, 6, 2, 3, -1]);
        assert_eq!(values, Some(vec![1.0, 2.0, 3.0, 2.0, 4.0, -4.0]));
    }

    #[test]
    fn scales_that_are_neither_one_nor_one_a_channel_are_refused() {
        let quantisation =
            Quantisation { scales: vec![0.5; 3], zero_points: vec![], channels: 2, run: 1 };
        assert_eq!(quantisation.undo(&[1, 2]), None);
    }
}
