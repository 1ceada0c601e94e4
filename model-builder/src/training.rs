//! From a data set to an artifact.

use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;
use sealgate_model::{
    ARTIFACT_BYTES_MAX, Activation, Artifact, DEPTH_MAX, DataSource, Dense, Engine, FORMAT,
    Feature, Manifest, Optimiser, Provenance, Task, WIDTH_MAX, WeightFormat,
};

use crate::fit::Fit;
use crate::network::{Network, loss};
use crate::{BuildError, Dataset};

/// How to train. The default is what the demo's model is made with, untuned.
#[derive(Clone, Debug)]
pub struct Training {
    /// The model's name.
    pub model: String,
    /// What the first weights and the order of the rows are drawn from.
    pub seed: u32,
    /// How often each row is seen.
    pub epochs: u32,
    /// How many rows a step looks at.
    pub batch_rows: u32,
    /// The step size of Adam.
    pub learning_rate: f32,
    /// The units of the hidden layers.
    pub hidden: Vec<u32>,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            model: "model".to_owned(),
            seed: 1,
            epochs: 30,
            batch_rows: 32,
            learning_rate: 1e-3,
            hidden: vec![128, 64],
        }
    }
}

/// How far a training is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Epochs done, over all trainings of one call.
    pub epochs_done: u32,
    /// Epochs in all.
    pub epochs_total: u32,
    /// The mean loss of the last epoch.
    pub loss: f32,
}

/// A trained model.
#[derive(Debug)]
pub struct Trained {
    /// The artifact's bytes, as they belong into a file.
    pub file: Vec<u8>,
    /// The same, read.
    pub artifact: Artifact,
    /// The mean loss of the last epoch.
    pub loss: f32,
}

/// Trains a network for two classes on all rows of `data`.
///
/// The same data, parameters, build and engine give the same bytes.
///
/// # Errors
///
/// When a parameter cannot be, when training diverges, or when the result would be no artifact.
pub fn train(
    data: &Dataset,
    training: &Training,
    progress: &mut dyn FnMut(Progress),
) -> Result<Trained, BuildError> {
    training.check(data)?;
    let fit = Fit::of(data);
    let mut learner = Learner::new(data, training, fit.apply(data));
    let mut loss = f32::NAN;
    for epoch in 1..=training.epochs {
        loss = learner.epoch()?;
        if !loss.is_finite() {
            return Err(BuildError::Diverged { epoch });
        }
        progress(Progress { epochs_done: epoch, epochs_total: training.epochs, loss });
    }
    let file = Artifact::encode(&manifest(data, training, fit), &learner.network.weights()?)?;
    Ok(Trained { artifact: Artifact::parse(&file)?, file, loss })
}

impl Training {
    /// Refuses what the engine would panic at or memory would not hold.
    fn check(&self, data: &Dataset) -> Result<(), BuildError> {
        let widths = self.hidden.iter().all(|units| (1..=WIDTH_MAX).contains(&(*units as usize)));
        let rate = self.learning_rate.is_finite() && self.learning_rate > 0.0;
        let shapes = self.shapes(data);
        let bytes = shapes.iter().map(|[inputs, units]| 4 * inputs * units).sum::<usize>();
        for (holds, field, reason) in [
            (self.epochs > 0, "epochs", "at least 1"),
            (self.batch_rows > 0, "batch_rows", "at least 1"),
            (rate, "learning_rate", "a finite number greater than 0"),
            (self.hidden.len() < DEPTH_MAX, "hidden", "at most 31 layers"),
            (widths, "hidden", "1 to 65,536 units"),
            (bytes < ARTIFACT_BYTES_MAX, "hidden", "fewer weights than 256 MiB hold"),
        ] {
            if !holds {
                return Err(BuildError::Parameter { field, reason });
            }
        }
        Ok(())
    }

    /// Inputs and units of every layer.
    fn shapes(&self, data: &Dataset) -> Vec<[usize; 2]> {
        let units = || self.hidden.iter().map(|&units| units as usize).chain([1]);
        let inputs = [data.columns.len()].into_iter().chain(units());
        inputs.zip(units()).map(|(inputs, units)| [inputs, units]).collect()
    }
}

/// A network, its optimiser, and the rows in the order of the next epoch.
struct Learner<'a> {
    training: &'a Training,
    labels: &'a [bool],
    rows: Vec<f32>,
    order: Vec<usize>,
    random: ChaCha12Rng,
    network: Network,
    optimiser: ModuleOptimizer,
    device: Device,
}

impl<'a> Learner<'a> {
    fn new(data: &'a Dataset, training: &'a Training, rows: Vec<f32>) -> Self {
        let device = Device::flex().autodiff();
        let mut random = ChaCha12Rng::seed_from_u64(training.seed.into());
        Self {
            training,
            labels: &data.labels,
            rows,
            order: (0..data.rows()).collect(),
            network: Network::new(&training.shapes(data), &mut random, &device),
            random,
            optimiser: AdamConfig::new().init(),
            device,
        }
    }

    /// Looks at every row once; answers the mean loss.
    fn epoch(&mut self) -> Result<f32, BuildError> {
        self.order.shuffle(&mut self.random);
        let order = std::mem::take(&mut self.order);
        let mut sum = 0.0;
        for batch in order.chunks(self.training.batch_rows as usize) {
            sum += self.step(batch)? * batch.len() as f32;
        }
        self.order = order;
        Ok(sum / self.labels.len() as f32)
    }

    /// Moves the weights once; answers the loss before.
    fn step(&mut self, batch: &[usize]) -> Result<f32, BuildError> {
        let width = self.rows.len() / self.labels.len();
        let row = |&index: &usize| self.rows.get(index * width..(index + 1) * width);
        let rows: Vec<f32> = batch.iter().filter_map(row).flatten().copied().collect();
        let truth = batch.iter().filter_map(|&index| self.labels.get(index));
        let truth: Vec<f32> = truth.map(|&label| f32::from(u8::from(label))).collect();
        let rows = TensorData::new(rows, [batch.len(), width]);
        let truth = TensorData::new(truth, [batch.len(), 1]);
        let logits = self.network.forward(Tensor::from_data(rows, &self.device));
        let loss = loss(logits, Tensor::from_data(truth, &self.device));
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let network = self.network.clone();
        let rate = f64::from(self.training.learning_rate);
        self.network = self.optimiser.step(rate, network, gradients);
        loss.try_into_scalar().map_err(BuildError::engine)
    }
}

fn manifest(data: &Dataset, training: &Training, fit: Fit) -> Manifest {
    let relu = |&units: &u32| Dense { units, activation: Activation::Relu };
    let head = Dense { units: 1, activation: Activation::Sigmoid };
    let feature = |(column, range): (&crate::Column, [f32; 2])| Feature {
        name: column.name.clone(),
        unit: column.unit.clone(),
        range,
    };
    Manifest {
        format: FORMAT,
        name: training.model.clone(),
        architecture: training.hidden.iter().map(relu).chain([head]).collect(),
        weights: WeightFormat::F32,
        input: "x".to_owned(),
        output: "probability".to_owned(),
        features: data.columns.iter().zip(fit.ranges).map(feature).collect(),
        standardisation: Some(fit.standardisation),
        task: Task::Binary { positive: data.classes[1].clone(), classes: data.classes.clone() },
        provenance: provenance(data, training),
    }
}

fn provenance(data: &Dataset, training: &Training) -> Provenance {
    Provenance::Trained {
        dataset: DataSource {
            name: data.name.clone(),
            sha256: data.sha256,
            rows: u32::try_from(data.rows()).unwrap_or(u32::MAX),
        },
        seed: training.seed,
        epochs: training.epochs,
        optimiser: Optimiser {
            name: "adam".to_owned(),
            learning_rate: training.learning_rate,
            batch_rows: training.batch_rows,
        },
        engine: Engine { name: "burn-flex".to_owned(), version: BURN_VERSION.to_owned() },
    }
}

/// burn does not say its own version; a test holds this against the workspace.
const BURN_VERSION: &str = "0.22.1";

#[cfg(test)]
mod tests {
    use super::BURN_VERSION;

    #[test]
    fn the_engine_in_the_provenance_is_the_one_that_is_linked() {
        let workspace = include_str!("../../Cargo.toml");
        assert!(workspace.contains(&format!("burn = {{ version = \"={BURN_VERSION}\"")));
    }
}
