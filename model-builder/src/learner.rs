//! Who learns: a network, moved a step at a time.

use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use rand::seq::SliceRandom;

use crate::network::{Loss, Network};
use crate::{BuildError, Training};

/// Standardised rows and what is true of them.
pub(crate) struct Examples {
    pub(crate) rows: Vec<f32>,
    pub(crate) truth: Vec<f32>,
    pub(crate) count: usize,
}

/// A network, its optimiser, and the rows in the order of the next epoch.
pub(crate) struct Learner<'a> {
    training: &'a Training,
    examples: Examples,
    order: Vec<usize>,
    random: ChaCha12Rng,
    pub(crate) network: Network,
    loss: Loss,
    optimiser: ModuleOptimizer,
    device: Device,
}

impl<'a> Learner<'a> {
    pub(crate) fn new(
        training: &'a Training,
        shapes: &[[usize; 2]],
        loss: Loss,
        examples: Examples,
    ) -> Self {
        let device = Device::flex().autodiff();
        let mut random = ChaCha12Rng::seed_from_u64(training.seed.into());
        Self {
            training,
            order: (0..examples.count).collect(),
            examples,
            network: Network::new(shapes, &mut random, &device),
            random,
            loss,
            optimiser: AdamConfig::new().init(),
            device,
        }
    }

    /// Looks at every row once; answers the mean loss.
    pub(crate) fn epoch(&mut self) -> Result<f32, BuildError> {
        self.order.shuffle(&mut self.random);
        let order = std::mem::take(&mut self.order);
        let mut sum = 0.0;
        for batch in order.chunks(self.training.batch_rows as usize) {
            sum += self.step(batch)? * batch.len() as f32;
        }
        self.order = order;
        Ok(sum / self.examples.count as f32)
    }

    /// Moves the weights once; answers the loss before.
    fn step(&mut self, batch: &[usize]) -> Result<f32, BuildError> {
        let loss = self.loss_at(&self.examples, batch);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let network = self.network.clone();
        let rate = f64::from(self.training.learning_rate);
        self.network = self.optimiser.step(rate, network, gradients);
        loss.try_into_scalar().map_err(BuildError::engine)
    }

    /// The mean loss of rows that are not learned from.
    pub(crate) fn loss_of(&self, examples: &Examples) -> Result<f32, BuildError> {
        let all: Vec<usize> = (0..examples.count).collect();
        let mut sum = 0.0;
        for batch in all.chunks(LOOKED_AT_ROWS) {
            let loss = self.loss_at(examples, batch);
            let loss: f32 = loss.try_into_scalar().map_err(BuildError::engine)?;
            sum += loss * batch.len() as f32;
        }
        Ok(sum / examples.count as f32)
    }

    fn loss_at(&self, examples: &Examples, batch: &[usize]) -> Tensor<1> {
        let tensor = |values: &[f32]| {
            let width = values.len() / examples.count;
            let row = |&index: &usize| values.get(index * width..(index + 1) * width);
            let picked: Vec<f32> = batch.iter().filter_map(row).flatten().copied().collect();
            Tensor::from_data(TensorData::new(picked, [batch.len(), width]), &self.device)
        };
        self.loss.of(self.network.forward(tensor(&examples.rows)), tensor(&examples.truth))
    }
}

/// How many rows are looked at together when nothing is learned.
const LOOKED_AT_ROWS: usize = 1024;
