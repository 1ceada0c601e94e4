//! The network as a textbook writes it, in 64 bits: standardise, then layer by layer, nothing
//! folded.

use sealgate_model::{Activation, Artifact};

/// The answer to one raw row.
pub fn answer(artifact: &Artifact, row: &[f32]) -> Vec<f64> {
    let manifest = artifact.manifest();
    let mut values: Vec<f64> = row.iter().copied().map(f64::from).collect();
    if let Some(fit) = &manifest.standardisation {
        for ((value, mean), std) in values.iter_mut().zip(&fit.mean).zip(&fit.std) {
            *value = (*value - f64::from(*mean)) / f64::from(*std);
        }
    }
    for (layer, weights) in manifest.architecture.iter().zip(artifact.layers()) {
        let mut sums: Vec<f64> = weights.bias.iter().copied().map(f64::from).collect();
        for (value, row) in values.iter().zip(weights.weight.chunks(layer.units as usize)) {
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += value * f64::from(*weight);
            }
        }
        values = activated(layer.activation, &sums);
    }
    values
}

/// An activation after its formula, for a whole row.
pub fn activated(activation: Activation, sums: &[f64]) -> Vec<f64> {
    let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all: f64 = sums.iter().map(|sum| (sum - largest).exp()).sum();
    let each = |&x: &f64| match activation {
        Activation::Linear => x,
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu { alpha } => x.max(0.0) + f64::from(alpha) * x.min(0.0),
        Activation::Elu { alpha } => x.max(0.0) + f64::from(alpha) * x.min(0.0).exp_m1(),
        Activation::Selu => SELU_GAMMA * (x.max(0.0) + SELU_ALPHA * x.min(0.0).exp_m1()),
        Activation::Gelu => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::Softmax => (x - largest).exp() / all,
        #[allow(unreachable_patterns, reason = "from outside the crate there may be more")]
        other => panic!("no reference for {other}"),
    };
    sums.iter().map(each).collect()
}

const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const SELU_GAMMA: f64 = 1.050_700_987_355_480_5;
