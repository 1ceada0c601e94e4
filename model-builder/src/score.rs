//! How good a model's answers are.

use burn::tensor::Device;
use sealgate_model::{Artifact, Model};

use crate::{BuildError, Dataset};

/// How a model does on a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The share of rows on the right side of 0.5.
    pub accuracy: f64,
    /// The probability that a positive row is scored higher than a negative one.
    pub auc: f64,
}

/// Several measurements of one thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation; 0 for a single one.
    pub std: f64,
}

/// Scores `artifact` on `data` as a worker would: loaded, standardisation folded, on burn-flex.
///
/// # Errors
///
/// When the model cannot be loaded or does not fit the data.
pub fn evaluate(artifact: &Artifact, data: &Dataset) -> Result<Score, BuildError> {
    let model = Model::load(artifact, &Device::flex())?;
    let outputs = model.infer(&data.to_rows()?)?;
    Ok(Score {
        accuracy: accuracy(outputs.values(), &data.labels),
        auc: auc(outputs.values(), &data.labels),
    })
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Self { mean, std: (squares / (count - 1.0).max(1.0)).sqrt() }
    }
}

fn accuracy(scores: &[f32], labels: &[bool]) -> f64 {
    let right = scores.iter().zip(labels).filter(|(score, label)| (**score >= 0.5) == **label);
    right.count() as f64 / labels.len() as f64
}

/// Area under the ROC curve by ranks (Mann and Whitney's U); equal scores share their mean rank.
fn auc(scores: &[f32], labels: &[bool]) -> f64 {
    let mut pairs: Vec<(f32, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    pairs.sort_by(|(left, _), (right, _)| left.total_cmp(right));
    let (mut rank_sum, mut below) = (0.0, 0);
    for tied in pairs.chunk_by(|(left, _), (right, _)| left == right) {
        let rank = below as f64 + (tied.len() as f64 + 1.0) / 2.0;
        rank_sum += rank * tied.iter().filter(|(_, label)| *label).count() as f64;
        below += tied.len();
    }
    let positive = labels.iter().filter(|label| **label).count() as f64;
    let negative = labels.len() as f64 - positive;
    (rank_sum - positive * (positive + 1.0) / 2.0) / (positive * negative)
}

#[cfg(test)]
mod tests {
    use super::{Spread, accuracy, auc};

    const LABELS: [bool; 4] = [false, false, true, true];

    #[test]
    fn perfect_and_reversed_orders_have_auc_one_and_zero() {
        assert_eq!(auc(&[0.1, 0.2, 0.3, 0.4], &LABELS), 1.0);
        assert_eq!(auc(&[0.4, 0.3, 0.2, 0.1], &LABELS), 0.0);
    }

    #[test]
    fn auc_counts_pairs_in_the_right_order() {
        assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &LABELS), 0.75);
    }

    #[test]
    fn a_tie_counts_half() {
        assert_eq!(auc(&[0.5, 0.5, 0.5, 0.5], &LABELS), 0.5);
        assert_eq!(auc(&[0.1, 0.3, 0.3, 0.8], &LABELS), 0.875);
    }

    #[test]
    fn accuracy_is_the_share_on_the_right_side() {
        assert_eq!(accuracy(&[0.1, 0.6, 0.4, 0.9], &LABELS), 0.5);
    }

    #[test]
    fn the_spread_is_the_sample_deviation() {
        let spread = Spread::of(&[1.0, 3.0]);
        assert_eq!((spread.mean, spread.std), (2.0, 2.0_f64.sqrt()));
        assert_eq!(Spread::of(&[1.0]).std, 0.0);
    }
}
