//! What is left of the standardisation at run time.
//!
//! The standardisation costs nothing extra: the mean is taken off while the rows are copied, and
//! the division by the deviation is folded into the first weights, in 64 bits. The mean is not
//! folded into the bias: where it is large beside the deviation, the difference of two large
//! 32-bit products would lose the digits that matter.

use crate::Standardisation;

/// What is taken off each of `inputs` values; zeros where there is no standardisation.
pub(crate) fn means(inputs: usize, fit: Option<&Standardisation>) -> Vec<f32> {
    fit.map_or_else(|| vec![0.0; inputs], |fit| fit.mean.clone())
}

/// The first weights, each divided by the deviation of its feature, if all of them are finite then.
pub(crate) fn scaled_down(weight: &[f32], std: &[f32]) -> Option<Vec<f32>> {
    let units = weight.len() / std.len().max(1);
    let mut folded = Vec::with_capacity(weight.len());
    for (row, &std) in weight.chunks_exact(units.max(1)).zip(std) {
        folded.extend(row.iter().map(|&weight| (f64::from(weight) / f64::from(std)) as f32));
    }
    folded.iter().all(|weight| weight.is_finite()).then_some(folded)
}
