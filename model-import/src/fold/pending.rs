//! What has been read and is not yet a layer.

use crate::tensor::Matrix;

use super::WideStandardisation;

/// An affine function of what comes out of the last layer.
#[derive(Debug, PartialEq)]
pub(super) enum Pending {
    Nothing,
    /// `value factor + offset`; one value of either holds for all features.
    Scale {
        factor: Vec<f64>,
        offset: Vec<f64>,
    },
    /// `row x weight + bias`.
    Dense {
        weight: Matrix,
        bias: Vec<f64>,
    },
}

impl Pending {
    /// `.. factor + offset` behind it.
    pub(super) fn scale(&mut self, factor: &[f64], offset: &[f64]) {
        match self {
            Self::Nothing => {
                *self = Self::Scale { factor: factor.to_vec(), offset: offset.to_vec() }
            }
            Self::Scale { factor: own_factor, offset: own_offset } => {
                let width = [own_factor.len(), own_offset.len(), factor.len(), offset.len()];
                let width = width.into_iter().max().unwrap_or(1);
                let moved = |at| of(own_offset, at) * of(factor, at) + of(offset, at);
                let offset = (0..width).map(moved).collect();
                *own_factor = (0..width).map(|at| of(own_factor, at) * of(factor, at)).collect();
                *own_offset = offset;
            }
            Self::Dense { weight, bias } => {
                for row in weight.rows_mut() {
                    row.iter_mut().enumerate().for_each(|(at, value)| *value *= of(factor, at));
                }
                for (at, value) in bias.iter_mut().enumerate() {
                    *value = *value * of(factor, at) + of(offset, at);
                }
            }
        }
    }

    /// How many products it takes to multiply `next` out; nothing where that would make more
    /// parameters than both have.
    pub(super) fn products(&self, next: &Matrix) -> Option<usize> {
        let Self::Dense { weight, .. } = self else { return Some(0) };
        let parameters = weight.inputs.checked_mul(next.units)?;
        let both = weight.values.len().checked_add(next.values.len())?;
        parameters.checked_mul(next.inputs).filter(|_| parameters <= both)
    }

    /// `.. x weight + bias` behind it. A scale is given back as the standardisation where the
    /// layer `leads` the network and the scale is one; what 32 bits of it lose goes into the
    /// weights, in which it costs nothing.
    pub(super) fn dense(
        &mut self,
        mut weight: Matrix,
        mut bias: Vec<f64>,
        leads: bool,
    ) -> Option<WideStandardisation> {
        let mut standardisation = None;
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => {}
            Self::Dense { weight: first, bias: moved } => {
                add_product(&mut bias, &moved, &weight);
                weight = product(&first, &weight);
            }
            Self::Scale { factor, offset } => {
                let width = weight.inputs;
                let mut factor: Vec<f64> = (0..width).map(|at| of(&factor, at)).collect();
                let mut offset: Vec<f64> = (0..width).map(|at| of(&offset, at)).collect();
                if leads {
                    standardisation = split(&mut factor, &mut offset);
                }
                add_product(&mut bias, &offset, &weight);
                for (row, factor) in weight.rows_mut().zip(&factor) {
                    row.iter_mut().for_each(|value| *value *= factor);
                }
            }
        }
        *self = Self::Dense { weight, bias };
        standardisation
    }
}

/// `x factor + offset` as `((x - mean) / std) factor' + offset'`, with `mean` and `std` of 32 bits,
/// `factor'` nearly 1 and `offset'` nearly 0; nothing where no deviation would be greater than 0.
fn split(factor: &mut [f64], offset: &mut [f64]) -> Option<WideStandardisation> {
    let narrow = |value: f64| f64::from(value as f32);
    let std: Vec<f64> = factor.iter().map(|factor| narrow(1.0 / factor)).collect();
    let mean: Vec<f64> =
        factor.iter().zip(&*offset).map(|(factor, offset)| narrow(-offset / factor)).collect();
    let usable = |std: &f64| std.is_finite() && *std >= f64::from(f32::MIN_POSITIVE);
    let changes = std.iter().any(|std| *std != 1.0) || mean.iter().any(|mean| *mean != 0.0);
    if !changes || !std.iter().all(usable) || !mean.iter().all(|mean| mean.is_finite()) {
        return None;
    }
    for (((factor, offset), mean), std) in factor.iter_mut().zip(offset).zip(&mean).zip(&std) {
        *offset += *factor * mean;
        *factor *= std;
    }
    Some(WideStandardisation { mean, std })
}

/// `sums += row x weight`
fn add_product(sums: &mut [f64], row: &[f64], weight: &Matrix) {
    for (value, weights) in row.iter().zip(weight.rows()) {
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += value * weight;
        }
    }
}

fn product(left: &Matrix, right: &Matrix) -> Matrix {
    let mut values = vec![0.0; left.inputs * right.units];
    for (row, sums) in left.rows().zip(values.chunks_exact_mut(right.units)) {
        add_product(sums, row, right);
    }
    Matrix { inputs: left.inputs, units: right.units, values }
}

/// The element, or the only one.
fn of(list: &[f64], at: usize) -> f64 {
    match list {
        [only] => *only,
        _ => list.get(at).copied().unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::split;

    #[test]
    fn a_split_scale_is_the_same_function() {
        let (mut factor, mut offset) = ([3.0], [-370_370.367]);
        let fit = split(&mut factor, &mut offset).unwrap();
        for x in [0.0, 123_456.0, 1e7] {
            let found = (x - fit.mean[0]) / fit.std[0] * factor[0] + offset[0];
            assert!((found - (3.0 * x - 370_370.367)).abs() < 1e-8, "{found}");
        }
    }

    #[test]
    fn what_changes_nothing_is_no_standardisation() {
        assert_eq!(split(&mut [1.0, 1.0], &mut [0.0, 0.0]), None);
    }
}
