//! How good a model's answers are.

use burn::tensor::Device;
use sealgate_model::{Artifact, Model, Outputs};

use crate::{BuildError, Dataset, Truth};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The share of rows on the right side of 0.5, or whose likeliest class is the right one.
    Accuracy,
    /// The probability that a row of a class is scored higher for it than a row of another; of
    /// several classes the mean over them.
    Auc,
    /// The root of the mean squared error, in the unit of the number.
    Rmse,
}

/// How a model does on a data set: two measures for classes, one for numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    measures: Vec<(Measure, f64)>,
}

/// Several measurements of one thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation; 0 for a single one.
    pub std: f64,
}

/// Scores `artifact` on `data` as a worker would.
///
/// # Errors
///
/// When the model cannot be loaded or does not fit the data.
pub fn evaluate(artifact: &Artifact, data: &Dataset) -> Result<Score, BuildError> {
    let model = Model::load(artifact, &Device::flex())?;
    Ok(Score::of(&model.infer(&data.to_rows()?)?, &data.truth))
}

impl Measure {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Auc => "auc",
            Self::Rmse => "rmse",
        }
    }
}

impl Score {
    /// How far `outputs` are from the truth.
    pub(crate) fn of(outputs: &Outputs, truth: &Truth) -> Self {
        let values = outputs.values();
        let measures = match truth {
            Truth::Binary { labels, .. } => {
                let right = values.iter().zip(labels).filter(|(s, label)| (**s >= 0.5) == **label);
                let accuracy = right.count() as f64 / labels.len() as f64;
                vec![(Measure::Accuracy, accuracy), (Measure::Auc, auc(values, labels))]
            }
            Truth::Classes { classes, labels } => {
                let accuracy = accuracy_of_likeliest(values, classes.len(), labels);
                let auc = mean_auc(values, classes.len(), labels);
                vec![(Measure::Accuracy, accuracy), (Measure::Auc, auc)]
            }
            Truth::Numbers { values: truth, .. } => {
                let square = |(found, truth): (&f32, &f32)| f64::from(found - truth).powi(2);
                let squares: f64 = values.iter().zip(truth).map(square).sum();
                vec![(Measure::Rmse, (squares / truth.len() as f64).sqrt())]
            }
        };
        Self { measures }
    }

    /// One measure, where it is one of this score's.
    #[must_use]
    pub fn get(&self, measure: Measure) -> Option<f64> {
        self.measures().find(|(found, _)| *found == measure).map(|(_, value)| value)
    }

    /// Every measure.
    pub fn measures(&self) -> impl Iterator<Item = (Measure, f64)> {
        self.measures.iter().copied()
    }

    /// How much worse `after` is in the measure that lost most: in points of a share, or as a
    /// share of the error before.
    #[must_use]
    pub fn loss(&self, after: &Self) -> f64 {
        let loss = |(measure, before): (Measure, f64)| {
            let after = after.get(measure).unwrap_or(f64::NAN);
            match measure {
                Measure::Accuracy | Measure::Auc => before - after,
                Measure::Rmse => (after - before) / before.max(f64::MIN_POSITIVE),
            }
        };
        self.measures().map(loss).fold(f64::NEG_INFINITY, f64::max)
    }
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Self { mean, std: (squares / (count - 1.0).max(1.0)).sqrt() }
    }
}

fn accuracy_of_likeliest(scores: &[f32], classes: usize, labels: &[usize]) -> f64 {
    let likeliest = |row: &[f32]| {
        let mut best = (0, f32::NEG_INFINITY);
        for (class, &score) in row.iter().enumerate() {
            if score > best.1 {
                best = (class, score);
            }
        }
        best.0
    };
    let right = scores.chunks(classes.max(1)).zip(labels).filter(|(row, l)| likeliest(row) == **l);
    right.count() as f64 / labels.len() as f64
}

/// The mean over the classes that have rows and are not all rows.
fn mean_auc(scores: &[f32], classes: usize, labels: &[usize]) -> f64 {
    let of_class = |class| {
        let labels: Vec<bool> = labels.iter().map(|&label| label == class).collect();
        let both = labels.contains(&true) && labels.contains(&false);
        let scores: Vec<f32> = scores.iter().skip(class).step_by(classes).copied().collect();
        both.then(|| auc(&scores, &labels))
    };
    Spread::of(&(0..classes).filter_map(of_class).collect::<Vec<_>>()).mean
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
    use super::{Measure, Score, Spread, accuracy_of_likeliest, auc, mean_auc};

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
    fn the_likeliest_class_is_right_or_wrong() {
        let scores = [0.8, 0.1, 0.1, 0.2, 0.5, 0.3, 0.4, 0.3, 0.3];
        assert_eq!(accuracy_of_likeliest(&scores, 3, &[0, 1, 2]), 2.0 / 3.0);
    }

    #[test]
    fn auc_of_several_classes_is_the_mean_over_those_that_have_rows() {
        let scores = [0.9, 0.1, 0.0, 0.2, 0.8, 0.0, 0.3, 0.7, 0.0];
        assert_eq!(mean_auc(&scores, 3, &[0, 1, 1]), 1.0);
        // Class 0 in the wrong order, class 1 in the right one.
        let scores = [0.1, 0.1, 0.2, 0.8];
        assert_eq!(mean_auc(&scores, 2, &[0, 1]), 0.5);
    }

    #[test]
    fn the_loss_is_that_of_the_measure_that_lost_most() {
        let score = |accuracy, auc| Score {
            measures: vec![(Measure::Accuracy, accuracy), (Measure::Auc, auc)],
        };
        assert_eq!(score(0.5, 0.75).loss(&score(0.75, 0.5)), 0.25);
        let rmse = |value| Score { measures: vec![(Measure::Rmse, value)] };
        assert_eq!(rmse(2.0).loss(&rmse(2.5)), 0.25);
    }

    #[test]
    fn the_spread_is_the_sample_deviation() {
        let spread = Spread::of(&[1.0, 3.0]);
        assert_eq!((spread.mean, spread.std), (2.0, 2.0_f64.sqrt()));
        assert_eq!(Spread::of(&[1.0]).std, 0.0);
    }
}
