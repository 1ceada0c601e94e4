//! Rows through all layers, a block of them at a time.

use pulp::{Simd, WithSimd};

use super::activate::{Activate, Softmax};
use super::dense::{by_panels, by_units};
use super::packed::Packed;
use super::{End, Fused, Layer};
use crate::Activation;

/// The work of one forward pass.
pub(super) struct Chain<'a> {
    pub(super) fused: &'a Fused,
    pub(super) end: End,
    /// Row by row.
    pub(super) rows: &'a [f32],
    /// Where a layer's inputs lie, for as many rows as a block has.
    pub(super) from: &'a mut [f32],
    /// Where its sums go, just as large.
    pub(super) to: &'a mut [f32],
    /// Row by row.
    pub(super) answers: &'a mut [f32],
}

/// A value that was too large to take the mean off.
pub(super) struct Overflow {
    pub(super) row: usize,
    pub(super) feature: usize,
}

impl WithSimd for Chain<'_> {
    type Output = Result<(), Overflow>;

    /// Blocks are as large as the registers hold the sums of; the last few rows go in smaller
    /// ones, and the fewer rows there are, the more panels are summed at once instead, because a
    /// sum waits four cycles for its predecessor.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { fused, end, mut rows, from, to, mut answers } = self;
        let mut done = 0;
        while let Some(block) = block_rows::<S>(rows.len() / fused.mean.len().max(1)) {
            let (now, later) = rows.split_at(block * fused.mean.len());
            let (answer, answers_later) = answers.split_at_mut(block * fused.outputs);
            let block_of = Block { fused, end, rows: now, from, to, answers: answer };
            let ended = match block {
                1 => block_of.run::<S, 1, 4>(simd),
                2 => block_of.run::<S, 2, 2>(simd),
                4 => block_of.run::<S, 4, 1>(simd),
                6 => block_of.run::<S, 6, 1>(simd),
                8 => block_of.run::<S, 8, 1>(simd),
                _ => block_of.run::<S, 12, 1>(simd),
            };
            ended.map_err(|Overflow { row, feature }| Overflow { row: done + row, feature })?;
            (rows, answers, done) = (later, answers_later, done + block);
        }
        Ok(())
    }
}

/// How many of `left` rows are taken next: one of the numbers that there is a kernel for.
#[inline(always)]
fn block_rows<S: Simd>(left: usize) -> Option<usize> {
    // Two sums for each row, two weights and a value: 27 of 32 registers, or 15 of 16.
    let wide = S::REGISTER_COUNT >= 32;
    match left {
        0 => None,
        1 => Some(1),
        2..=3 => Some(2),
        4..=5 => Some(4),
        // Two blocks of middling size rather than a large one and a small one that waits for memory.
        14..=16 if wide => Some(8),
        12.. if wide => Some(12),
        8.. if wide => Some(8),
        _ => Some(6),
    }
}

/// As many rows as are computed together.
struct Block<'a> {
    fused: &'a Fused,
    end: End,
    rows: &'a [f32],
    from: &'a mut [f32],
    to: &'a mut [f32],
    answers: &'a mut [f32],
}

impl Block<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const PANELS: usize>(self, simd: S) -> Result<(), Overflow> {
        let Self { fused, end, rows, mut from, mut to, answers } = self;
        let last = fused.layers.len().saturating_sub(1);
        centred(simd, rows, &fused.mean, from)?;
        let mut stride = fused.mean.len();
        for (index, layer) in fused.layers.iter().enumerate() {
            let activation = match end {
                End::Sums if index == last => Activation::Linear,
                _ => layer.activation,
            };
            match &layer.packed {
                Packed::Panels { weight, bias } => {
                    let shape = (layer.inputs, stride, layer.stride);
                    let relu = activation == Activation::Relu;
                    let (weight, bias) = (weight.values(), bias.values());
                    by_panels::<S, ROWS, PANELS>(simd, shape, weight, bias, from, to, relu);
                }
                Packed::Units { weight, bias } => {
                    for (row, sums) in
                        from.chunks_exact(stride).zip(to.chunks_exact_mut(layer.stride)).take(ROWS)
                    {
                        let row = row.get(..layer.inputs).unwrap_or_default();
                        by_units(simd, activation, weight, bias, row, sums);
                    }
                }
            }
            let sums = to.get_mut(..ROWS * layer.stride).unwrap_or_default();
            activated(simd, layer, activation, sums);
            (from, to, stride) = (to, from, layer.stride);
        }
        for (row, answer) in from.chunks_exact(stride).zip(answers.chunks_exact_mut(fused.outputs))
        {
            for (answer, value) in answer.iter_mut().zip(row) {
                *answer = *value;
            }
        }
        Ok(())
    }
}

/// Whatever is not done to the sums while they are in registers.
#[inline(always)]
fn activated<S: Simd>(simd: S, layer: &Layer, activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Linear | Activation::Relu => {}
        Activation::Softmax => {
            apart(simd, Softmax { values, stride: layer.stride, units: layer.units });
        }
        activation => apart(simd, Activate { activation, values }),
    }
}

/// A call that is never inlined: else its constants are loaded in the loops of the sums, once for
/// every input, to be at hand afterwards.
#[inline(never)]
fn apart<S: Simd, W: WithSimd>(simd: S, work: W) -> W::Output {
    simd.vectorize(work)
}

/// The rows without their means. Subtracting can overflow, and what overflowed here could look
/// like a score after a rectifier.
#[inline(always)]
fn centred<S: Simd>(simd: S, rows: &[f32], mean: &[f32], to: &mut [f32]) -> Result<(), Overflow> {
    let features = mean.len();
    let (means, means_rest) = S::as_simd_f32s(mean);
    let means_rest = simd.partial_load_f32s(means_rest);
    let mut largest = simd.splat_f32s(0.0);
    for (row, to) in rows.chunks_exact(features).zip(to.chunks_exact_mut(features)) {
        let ((row, rest), (to, to_rest)) = (S::as_simd_f32s(row), S::as_mut_simd_f32s(to));
        for ((to, value), mean) in to.iter_mut().zip(row).zip(means) {
            *to = simd.sub_f32s(*value, *mean);
            largest = simd.max_f32s(largest, simd.abs_f32s(*to));
        }
        let centred = simd.sub_f32s(simd.partial_load_f32s(rest), means_rest);
        simd.partial_store_f32s(to_rest, centred);
        largest = simd.max_f32s(largest, simd.abs_f32s(centred));
    }
    // Both were numbers, so the difference is one or infinite.
    if simd.reduce_max_f32s(largest) < f32::INFINITY {
        return Ok(());
    }
    let at = to.iter().position(|value| !value.is_finite()).unwrap_or(0);
    Err(Overflow { row: at / features, feature: at % features })
}
