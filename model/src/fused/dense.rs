//! The sums: `bias + input x weight`, for a block of rows.

use pulp::Simd;

use super::activate::relu;
use crate::Activation;

/// Sums for layers in panels. `shape` is the inputs of the layer, the values from one row to the
/// next where they are read, and where they are written.
#[inline(always)]
pub(super) fn by_panels<S: Simd, const ROWS: usize, const PANELS: usize>(
    simd: S,
    shape: (usize, usize, usize),
    weight: &[f32],
    bias: &[f32],
    from: &[f32],
    to: &mut [f32],
    rectify: bool,
) {
    let (inputs, from_stride, to_stride) = shape;
    let mut rows = from.chunks_exact(from_stride).map(|row| row.get(..inputs).unwrap_or_default());
    let mut sums = to.chunks_exact_mut(to_stride).map(|row| pairs_mut::<S>(row));
    let mut block = Block::<S, ROWS> {
        rows: std::array::from_fn(|_| rows.next().unwrap_or_default()),
        sums: std::array::from_fn(|_| sums.next().unwrap_or_default()),
        bias: pairs::<S>(bias),
        rectify,
    };
    let mut groups = pairs::<S>(weight).chunks_exact(inputs * PANELS);
    let mut at = 0;
    for group in &mut groups {
        let mut panels = group.chunks_exact(inputs);
        let panels = std::array::from_fn(|_| panels.next().unwrap_or_default());
        block.sum::<PANELS>(simd, panels, at);
        at += PANELS;
    }
    for panel in groups.remainder().chunks_exact(inputs) {
        block.sum::<1>(simd, [panel], at);
        at += 1;
    }
}

/// Rows that are read together and sums that are written together.
struct Block<'a, S: Simd, const ROWS: usize> {
    rows: [&'a [f32]; ROWS],
    sums: [&'a mut [[S::f32s; 2]]; ROWS],
    bias: &'a [[S::f32s; 2]],
    rectify: bool,
}

impl<S: Simd, const ROWS: usize> Block<'_, S, ROWS> {
    /// The sums of `PANELS` panels from the one at `at`, in registers from the first input to the
    /// last. How this is written decides whether they stay there: a spelling that looks the same
    /// spilled them and was four times slower, so run the benchmark after a change.
    #[inline(always)]
    fn sum<const PANELS: usize>(&mut self, simd: S, panels: [&[[S::f32s; 2]]; PANELS], at: usize) {
        let depth = self.rows.first().map_or(0, |row| row.len());
        // Never so; it is asked because then the compiler needs not ask at every input.
        if self.rows.iter().any(|row| row.len() != depth)
            || panels.iter().any(|panel| panel.len() != depth)
        {
            return;
        }
        let Some(bias) = self.bias.get(at..).and_then(|bias| bias.first_chunk::<PANELS>()) else {
            return;
        };
        let mut sums = [*bias; ROWS];
        for input in 0..depth {
            for (row, sums) in self.rows.iter().zip(&mut sums) {
                let value = simd.splat_f32s(row.get(input).copied().unwrap_or_default());
                for (panel, sums) in panels.iter().zip(sums) {
                    let Some(weights) = panel.get(input) else { continue };
                    for (weight, sum) in weights.iter().zip(sums) {
                        *sum = simd.mul_add_f32s(value, *weight, *sum);
                    }
                }
            }
        }
        for (row, sums) in self.sums.iter_mut().zip(sums) {
            for (to, sums) in row.iter_mut().skip(at).zip(sums) {
                *to = if self.rectify { sums.map(|sum| relu(simd, sum)) } else { sums };
            }
        }
    }
}

/// Sums of one row for a layer of few units: along the inputs, vector by vector.
#[inline(always)]
pub(super) fn by_units<S: Simd>(
    simd: S,
    activation: Activation,
    weight: &[f32],
    bias: &[f32],
    row: &[f32],
    sums: &mut [f32],
) {
    let (vectors, rest) = S::as_simd_f32s(row);
    let (vectors, odd) = vectors.as_chunks::<2>();
    for ((weight, bias), to) in weight.chunks_exact(row.len()).zip(bias).zip(sums) {
        let (weights, weights_rest) = S::as_simd_f32s(weight);
        let (weights, weights_odd) = weights.as_chunks::<2>();
        let mut two = [simd.splat_f32s(0.0); 2];
        for (values, weights) in vectors.iter().zip(weights) {
            for ((sum, value), weight) in two.iter_mut().zip(values).zip(weights) {
                *sum = simd.mul_add_f32s(*value, *weight, *sum);
            }
        }
        let [mut sum, other] = two;
        for (value, weight) in odd.iter().zip(weights_odd) {
            sum = simd.mul_add_f32s(*value, *weight, sum);
        }
        let mut sum = bias + simd.reduce_sum_f32s(simd.add_f32s(sum, other));
        for (value, weight) in rest.iter().zip(weights_rest) {
            sum += value * weight;
        }
        *to = if activation == Activation::Relu && sum < 0.0 { 0.0 } else { sum };
    }
}

#[inline(always)]
fn pairs<S: Simd>(values: &[f32]) -> &[[S::f32s; 2]] {
    S::as_simd_f32s(values).0.as_chunks::<2>().0
}

#[inline(always)]
fn pairs_mut<S: Simd>(values: &mut [f32]) -> &mut [[S::f32s; 2]] {
    S::as_mut_simd_f32s(values).0.as_chunks_mut::<2>().0
}
