//! The network on an engine of burn.
//!
//! The engine's own buffers are freed without being wiped. A process that must not leave rows in
//! its heap needs an allocator that zeroes what is freed.

use std::fmt;

use burn::tensor::{Device, Tensor, TensorData, activation, module::linear};
use zeroize::Zeroizing;

use crate::stack::Stack;
use crate::{Activation, Artifact, ModelError, Outputs, Rows};

/// A network on an engine: what the fused path is judged by.
///
/// Whoever wants answers takes a [`Model`](crate::Model).
pub struct Network {
    mean: Vec<f32>,
    outputs: usize,
    layers: Vec<Layer>,
    device: Device,
}

struct Layer {
    weight: Tensor<2>,
    bias: Tensor<1>,
    activation: Activation,
}

impl Network {
    /// Puts an artifact's network on an engine.
    ///
    /// # Errors
    ///
    /// When a weight divided by its feature's deviation is no longer finite.
    pub fn load(artifact: &Artifact, device: &Device) -> Result<Self, ModelError> {
        Ok(Self::of(Stack::of(artifact)?, device))
    }

    /// Puts dense layers on an engine.
    pub(crate) fn of(stack: Stack<'_>, device: &Device) -> Self {
        let outputs = stack.outputs();
        let layer = |layer: crate::stack::StackLayer<'_>| {
            let weight = TensorData::new(layer.weight.into_owned(), [layer.inputs, layer.units]);
            let bias = TensorData::new(layer.bias.to_vec(), [layer.units]);
            Layer {
                weight: Tensor::from_data(weight, device),
                bias: Tensor::from_data(bias, device),
                activation: layer.activation,
            }
        };
        let layers = stack.layers.into_iter().map(layer).collect();
        Self { mean: stack.mean, outputs, layers, device: device.clone() }
    }

    /// Scores rows of raw values.
    ///
    /// # Errors
    ///
    /// When the rows have another width than the network, when a value is too large to compute
    /// with, or when the engine fails.
    pub fn infer(&self, rows: &Rows) -> Result<Outputs, ModelError> {
        self.run(rows, |layer, values| layer.activated(values))
    }

    /// How many values it answers per row.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The last layer's sums, before its activation.
    ///
    /// # Errors
    ///
    /// As of [`Network::infer`].
    pub(crate) fn sums(&self, rows: &Rows) -> Result<Outputs, ModelError> {
        self.run(rows, |_, values| values)
    }

    /// Through all layers; `end` is what is done to the sums of the last.
    fn run(
        &self,
        rows: &Rows,
        end: impl FnOnce(&Layer, Tensor<2>) -> Tensor<2>,
    ) -> Result<Outputs, ModelError> {
        let (expected, found) = (self.mean.len(), rows.features());
        if expected != found {
            return Err(ModelError::FeatureCount { expected, found });
        }
        let input = TensorData::new(self.centred(rows)?, [rows.count(), expected]);
        let mut values = Tensor::<2>::from_data(input, &self.device);
        if let Some((last, layers)) = self.layers.split_last() {
            for layer in layers {
                values = layer.activated(layer.sums(values));
            }
            values = end(last, last.sums(values));
        }
        let data = values.try_into_data().map_err(engine)?;
        let values = data.as_slice::<f32>().map_err(engine)?;
        Outputs::new(rows.count(), self.outputs, Zeroizing::new(values.to_vec()))
    }

    /// The rows without their means. Subtracting can overflow, and what overflowed here could
    /// look like a score after a rectifier.
    fn centred(&self, rows: &Rows) -> Result<Vec<f32>, ModelError> {
        let mut centred = Vec::with_capacity(rows.values().len());
        for row in rows.values().chunks_exact(self.mean.len()) {
            centred.extend(row.iter().zip(&self.mean).map(|(value, mean)| value - mean));
        }
        match centred.iter().position(|value| !value.is_finite()) {
            None => Ok(centred),
            Some(at) => Err(ModelError::ValueNotFinite {
                row: at / self.mean.len(),
                feature: at % self.mean.len(),
            }),
        }
    }
}

/// Its size; never its weights.
impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("layers", &self.layers.len()).finish_non_exhaustive()
    }
}

impl Layer {
    fn sums(&self, input: Tensor<2>) -> Tensor<2> {
        linear(input, self.weight.clone(), Some(self.bias.clone()))
    }

    fn activated(&self, sums: Tensor<2>) -> Tensor<2> {
        apply(self.activation, sums)
    }
}

/// What a layer does to its sums.
fn apply(activation: Activation, sums: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Linear => sums,
        Activation::Relu => activation::relu(sums),
        Activation::LeakyRelu { alpha } => activation::leaky_relu(sums, alpha.into()),
        Activation::Elu { alpha } => activation::elu(sums, alpha.into()),
        Activation::Selu => activation::selu(sums),
        Activation::Gelu => activation::gelu(sums),
        Activation::GeluTanh => activation::gelu_approximate(sums),
        Activation::Sigmoid => activation::sigmoid(sums),
        Activation::Tanh => activation::tanh(sums),
        Activation::Softmax => activation::softmax(sums, 1),
    }
}

/// The same on rows of `units` sums that were made elsewhere.
pub(crate) fn activated(
    activation: Activation,
    sums: Zeroizing<Vec<f32>>,
    units: usize,
    device: &Device,
) -> Result<Zeroizing<Vec<f32>>, ModelError> {
    if activation == Activation::Linear {
        return Ok(sums);
    }
    let data = TensorData::new(sums.to_vec(), [sums.len() / units.max(1), units]);
    let values = apply(activation, Tensor::<2>::from_data(data, device));
    let data = values.try_into_data().map_err(engine)?;
    Ok(Zeroizing::new(data.as_slice::<f32>().map_err(engine)?.to_vec()))
}

fn engine(error: impl std::error::Error + Send + Sync + 'static) -> ModelError {
    ModelError::Engine(Some(Box::new(error)))
}
