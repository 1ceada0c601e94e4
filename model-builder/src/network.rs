//! The network while it learns: burn's layers on an engine that keeps gradients.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use sealgate_model::LayerWeights;

use crate::BuildError;

/// Dense layers with rectifiers between them. The last one gives logits.
#[derive(Module, Debug)]
pub(crate) struct Network {
    layers: Vec<Linear>,
}

impl Network {
    /// First weights after He et al. (2015), uniform, drawn here and not by burn: its generator
    /// is shared by the whole process, and another thread would change what we draw.
    pub(crate) fn new(shapes: &[[usize; 2]], random: &mut ChaCha12Rng, device: &Device) -> Self {
        let mut layer = |&[inputs, units]: &[usize; 2]| {
            let bound = (6.0 / inputs as f32).sqrt();
            let mut draw = || random.random_range(-bound..bound);
            let weight: Vec<f32> = (0..inputs * units).map(|_| draw()).collect();
            Linear {
                weight: parameter(TensorData::new(weight, [inputs, units]), device),
                bias: Some(parameter(TensorData::new(vec![0.0_f32; units], [units]), device)),
            }
        };
        Self { layers: shapes.iter().map(&mut layer).collect() }
    }

    /// The logits of standardised rows.
    pub(crate) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len().saturating_sub(1);
        self.layers.iter().enumerate().fold(rows, |values, (index, layer)| {
            let sums = layer.forward(values);
            if index == last { sums } else { relu(sums) }
        })
    }

    /// What was learned, as an artifact holds it.
    pub(crate) fn weights(&self) -> Result<Vec<LayerWeights>, BuildError> {
        let layer = |layer: &Linear| {
            let bias = layer.bias.as_ref().map(|bias| values(bias.val())).transpose()?;
            Ok(LayerWeights { weight: values(layer.weight.val())?, bias: bias.unwrap_or_default() })
        };
        self.layers.iter().map(layer).collect()
    }
}

/// What is made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Cross-entropy of one logit; the truth is 0 or 1.
    Binary,
    /// Cross-entropy of a logit for each class; the truth is 1 for one of them.
    Classes,
    /// The squared error.
    Square,
}

impl Loss {
    /// The mean over the rows, in forms that neither overflow nor take log(0).
    pub(crate) fn of(self, logits: Tensor<2>, truth: Tensor<2>) -> Tensor<1> {
        match self {
            Self::Binary => {
                let softplus = relu(logits.clone()) + logits.clone().abs().neg().exp().log1p();
                (softplus - logits * truth).mean()
            }
            Self::Classes => (log_softmax(logits, 1) * truth).sum_dim(1).neg().mean(),
            Self::Square => (logits - truth).powi_scalar(2).mean(),
        }
    }
}

fn parameter<const D: usize>(data: TensorData, device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(data, device))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, BuildError> {
    let data = tensor.try_into_data().map_err(BuildError::engine)?;
    Ok(data.as_slice().map_err(BuildError::engine)?.to_vec())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Loss, values};
    use burn::tensor::{Device, Tensor};

    #[test]
    fn the_loss_is_binary_cross_entropy() {
        let probability = 1.0 / (1.0 + (-1.5_f64).exp());
        let expected = -probability.ln();
        assert!((f64::from(loss_of(1.5, 1.0)) - expected).abs() < 1e-6);
    }

    #[test]
    fn a_loss_of_extreme_logits_is_finite() {
        assert_eq!(loss_of(200.0, 0.0), 200.0);
        assert_eq!(loss_of(-200.0, 1.0), 200.0);
        assert_eq!(loss_of(200.0, 1.0), 0.0);
    }

    fn loss_of(logit: f32, truth: f32) -> f32 {
        let tensor = |value| Tensor::<2>::from_data([[value]], &Device::flex());
        values(Loss::Binary.of(tensor(logit), tensor(truth))).unwrap()[0]
    }

    #[test]
    fn the_loss_of_several_classes_is_cross_entropy() {
        let tensor = |row| Tensor::<2>::from_data([row], &Device::flex());
        let loss = Loss::Classes.of(tensor([1.0, 2.0, 0.5]), tensor([0.0, 1.0, 0.0]));
        let all: f64 = [1.0_f64, 2.0, 0.5].iter().map(|logit| logit.exp()).sum();
        assert!((f64::from(values(loss).unwrap()[0]) - (all.ln() - 2.0)).abs() < 1e-6);
        let extreme = Loss::Classes.of(tensor([500.0, -500.0, 0.0]), tensor([0.0, 1.0, 0.0]));
        assert_eq!(values(extreme).unwrap(), [1000.0]);
    }
}
