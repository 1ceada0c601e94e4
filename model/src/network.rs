//! The network on an engine.
//!
//! The standardisation costs nothing extra: the mean is taken off while the rows are copied into
//! the engine, and the division by the deviation is folded into the first weights, in 64 bits.
//! The mean is not folded into the bias: where it is large beside the deviation, the difference
//! of two large 32-bit products would lose the digits that matter.
//!
//! The engine's own buffers are freed without being wiped. A process that must not leave rows in
//! its heap needs an allocator that zeroes what is freed.

use std::fmt;

use burn::tensor::{Device, Tensor, TensorData, activation, module::linear};

use crate::artifact::weight_name;
use crate::{Activation, Artifact, Digest, LayerWeights, ModelError, Outputs, Rows};

/// A network, loaded and ready. It can be used from many threads at once.
pub struct Model {
    name: String,
    digest: Digest,
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

impl Model {
    /// Puts an artifact's network on an engine.
    ///
    /// # Errors
    ///
    /// When a weight divided by its feature's deviation is no longer finite.
    pub fn load(artifact: &Artifact, device: &Device) -> Result<Self, ModelError> {
        let manifest = artifact.manifest();
        let fit = manifest.standardisation.as_ref();
        let mut layers = Vec::with_capacity(manifest.architecture.len());
        for (index, (shape, (layer, weights))) in
            manifest.shapes().zip(manifest.architecture.iter().zip(artifact.layers())).enumerate()
        {
            let weight = match fit {
                Some(fit) if index == 0 => folded(weights, &fit.std, shape.1)?,
                _ => weights.weight.clone(),
            };
            layers.push(Layer {
                weight: Tensor::from_data(TensorData::new(weight, [shape.0, shape.1]), device),
                bias: Tensor::from_data(TensorData::new(weights.bias.clone(), [shape.1]), device),
                activation: layer.activation,
            });
        }
        Ok(Self {
            name: manifest.name.clone(),
            digest: artifact.digest(),
            mean: fit.map_or_else(|| vec![0.0; manifest.features.len()], |fit| fit.mean.clone()),
            outputs: manifest.outputs(),
            layers,
            device: device.clone(),
        })
    }

    /// Scores rows of raw values: the standardisation is the model's business.
    ///
    /// # Errors
    ///
    /// When the rows have another width than the model, when a value is too large to compute
    /// with, or when the engine fails.
    pub fn infer(&self, rows: &Rows) -> Result<Outputs, ModelError> {
        let (expected, found) = (self.features(), rows.features());
        if expected != found {
            return Err(ModelError::FeatureCount { expected, found });
        }
        let input = TensorData::new(self.centred(rows)?, [rows.count(), expected]);
        let mut values = Tensor::<2>::from_data(input, &self.device);
        for layer in &self.layers {
            values = layer.forward(values);
        }
        let data = values.try_into_data().map_err(engine)?;
        let values = data.as_slice::<f32>().map_err(engine)?;
        Outputs::new(rows.count(), self.outputs, values)
    }

    /// Scores the mean row, so that the first request does not pay for cold memory.
    ///
    /// # Errors
    ///
    /// When the model cannot score even that: it must not replace one that can.
    pub fn warm_up(&self) -> Result<(), ModelError> {
        let rows = Rows::new(1, self.features(), self.mean.clone())?;
        self.infer(&rows).map(drop)
    }

    /// How many values a row must have.
    #[must_use]
    pub fn features(&self) -> usize {
        self.mean.len()
    }

    /// How many values the model answers per row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The digest of the artifact it was loaded from.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The rows without their means. Subtracting can overflow, and what overflowed here could
    /// look like a score after a rectifier.
    fn centred(&self, rows: &Rows) -> Result<Vec<f32>, ModelError> {
        let mut centred = Vec::with_capacity(rows.values().len());
        for row in rows.values().chunks_exact(self.features()) {
            centred.extend(row.iter().zip(&self.mean).map(|(value, mean)| value - mean));
        }
        match centred.iter().position(|value| !value.is_finite()) {
            None => Ok(centred),
            Some(at) => Err(ModelError::ValueNotFinite {
                row: at / self.features(),
                feature: at % self.features(),
            }),
        }
    }
}

/// Which model it is; never its weights.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Layer {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let sums = linear(input, self.weight.clone(), Some(self.bias.clone()));
        match self.activation {
            Activation::Linear => sums,
            Activation::Relu => activation::relu(sums),
            Activation::Sigmoid => activation::sigmoid(sums),
            Activation::Tanh => activation::tanh(sums),
        }
    }
}

/// The first weights, each divided by the deviation of its feature.
fn folded(layer: &LayerWeights, std: &[f32], units: usize) -> Result<Vec<f32>, ModelError> {
    let mut folded = Vec::with_capacity(layer.weight.len());
    for (row, &std) in layer.weight.chunks_exact(units).zip(std) {
        folded.extend(row.iter().map(|&weight| (f64::from(weight) / f64::from(std)) as f32));
    }
    if folded.iter().all(|weight| weight.is_finite()) {
        Ok(folded)
    } else {
        Err(ModelError::WeightNotFinite { name: weight_name(0) })
    }
}

fn engine(error: impl std::error::Error + Send + Sync + 'static) -> ModelError {
    ModelError::Engine(Some(Box::new(error)))
}

/// The worker shares one model among its inference threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Model>();
    shared::<Artifact>();
};
