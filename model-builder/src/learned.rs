//! What is true of rows, as the numbers that a network learns.

use sealgate_model::LayerWeights;

use crate::Truth;
use crate::network::Loss;

/// How the truth becomes numbers; fitted on the training rows only.
pub(crate) struct Learned {
    loss: Loss,
    outputs: usize,
    /// What is taken off a number, and what it is divided by then: a network learns numbers about
    /// as large as its own.
    scale: [f64; 2],
}

impl Learned {
    pub(crate) fn of(truth: &Truth) -> Self {
        let (loss, scale) = match truth {
            Truth::Binary { .. } => (Loss::Binary, [0.0, 1.0]),
            Truth::Classes { .. } => (Loss::Classes, [0.0, 1.0]),
            Truth::Numbers { values, .. } => (Loss::Square, scale_of(values)),
        };
        Self { loss, outputs: truth.outputs(), scale }
    }

    /// What is made small.
    pub(crate) fn loss(&self) -> Loss {
        self.loss
    }

    /// Row by row, as many numbers as the network has outputs.
    pub(crate) fn numbers(&self, truth: &Truth) -> Vec<f32> {
        match truth {
            Truth::Binary { labels, .. } => {
                labels.iter().map(|&label| f32::from(u8::from(label))).collect()
            }
            Truth::Classes { labels, .. } => {
                let one = |&label: &usize| {
                    (0..self.outputs).map(move |class| f32::from(u8::from(class == label)))
                };
                labels.iter().flat_map(one).collect()
            }
            Truth::Numbers { values, .. } => {
                let [mean, std] = self.scale;
                values.iter().map(|&value| ((f64::from(value) - mean) / std) as f32).collect()
            }
        }
    }

    /// Makes the last layer answer numbers as they are.
    pub(crate) fn unscale(&self, weights: &mut [LayerWeights]) {
        let [mean, std] = self.scale;
        let Some(last) = weights.last_mut().filter(|_| self.scale != [0.0, 1.0]) else { return };
        for weight in &mut last.weight {
            *weight = (f64::from(*weight) * std) as f32;
        }
        for bias in &mut last.bias {
            *bias = f64::from(*bias).mul_add(std, mean) as f32;
        }
    }
}

fn scale_of(values: &[f32]) -> [f64; 2] {
    let count = values.len() as f64;
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / count;
    let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
    let std = (squares / count).sqrt();
    // A number that never changes has nothing to be divided by.
    [mean, if std > f64::from(f32::MIN_POSITIVE) { std } else { 1.0 }]
}

#[cfg(test)]
mod tests {
    use sealgate_model::{LayerWeights, Quantity};

    use super::Learned;
    use crate::Truth;

    #[test]
    fn a_class_is_a_one_among_zeros() {
        let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
        let truth = Truth::Classes { classes, labels: vec![2, 0] };
        assert_eq!(Learned::of(&truth).numbers(&truth), [0., 0., 1., 1., 0., 0.]);
    }

    #[test]
    fn numbers_are_learned_standardised_and_answered_as_they_are() {
        let quantity = Quantity { name: "n".to_owned(), unit: "1".to_owned() };
        let truth = Truth::Numbers { quantity, values: vec![10.0, 30.0] };
        let learned = Learned::of(&truth);
        assert_eq!(learned.numbers(&truth), [-1.0, 1.0]);
        let mut weights = [LayerWeights { weight: vec![1.0], bias: vec![0.5] }];
        learned.unscale(&mut weights);
        assert_eq!((weights[0].weight[0], weights[0].bias[0]), (10.0, 25.0));
    }
}
