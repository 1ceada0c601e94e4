//! From a data set to an artifact.

use burn::tensor::Device;
use sealgate_model::{ARTIFACT_BYTES_MAX, Artifact, DEPTH_MAX, LayerWeights, Model, WIDTH_MAX};

use crate::description::{Stopped, describe};
use crate::fit::Fit;
use crate::learned::Learned;
use crate::learner::{Examples, Learner};
use crate::validation::hold_back;
use crate::{BuildError, Dataset, Roc};

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
    /// When to stop before the last epoch; without it every epoch is run and the last one kept.
    pub stopping: Option<Stopping>,
}

/// Stops when rows that are held back say so, and keeps the weights that did best on them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopping {
    /// The share of each class's rows that is held back, greater than 0 and less than 1.
    pub validation_share: f32,
    /// After how many epochs without an improvement it stops.
    pub patience_epochs: u32,
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
            stopping: None,
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
    /// How the loss went, epoch by epoch.
    pub curve: Vec<Epoch>,
    /// How the held-back rows were told apart, where there were any and there are classes.
    pub roc: Option<Roc>,
}

/// The loss in one epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// The mean over the rows that were learned from, as they were seen.
    pub loss: f32,
    /// The mean over the rows that were held back, afterwards.
    pub validation_loss: Option<f32>,
}

/// Trains a network for what is true of the rows of `data`.
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
    let Some(stopping) = training.stopping else {
        let mut run = Run::new(data, training, None);
        run.epochs(None, progress)?;
        return run.into_trained(None);
    };
    let (seen, held_back) = hold_back(&data.truth, stopping.validation_share, training.seed);
    let (seen, held_back) = (data.subset(&seen), data.subset(&held_back));
    if seen.rows() == 0 || held_back.rows() == 0 {
        let reason = "a share that leaves rows on both sides";
        return Err(BuildError::Parameter { field: "validation_share", reason });
    }
    let mut run = Run::new(&seen, training, Some(&held_back));
    let kept = run.epochs(Some(stopping.patience_epochs), progress)?;
    let stopped = Stopped { rows: held_back.rows(), patience: stopping.patience_epochs, kept };
    let mut trained = run.into_trained(Some(stopped))?;
    let model = Model::load(&trained.artifact, &Device::flex())?;
    let answers = model.infer(&held_back.to_rows()?)?;
    trained.roc = Roc::of(&held_back.truth, answers.values(), &held_back.truth.strata());
    Ok(trained)
}

impl Training {
    /// Refuses what the engine would panic at or memory would not hold.
    fn check(&self, data: &Dataset) -> Result<(), BuildError> {
        let widths = self.hidden.iter().all(|units| (1..=WIDTH_MAX).contains(&(*units as usize)));
        let rate = self.learning_rate.is_finite() && self.learning_rate > 0.0;
        let shapes = self.shapes(data);
        let bytes = shapes.iter().map(|[inputs, units]| 4 * inputs * units).sum::<usize>();
        let share = |of: Stopping| of.validation_share > 0.0 && of.validation_share < 1.0;
        let patience = self.stopping.is_none_or(|stopping| stopping.patience_epochs > 0);
        for (holds, field, reason) in [
            (self.epochs > 0, "epochs", "at least 1"),
            (self.batch_rows > 0, "batch_rows", "at least 1"),
            (rate, "learning_rate", "a finite number greater than 0"),
            (self.hidden.len() < DEPTH_MAX, "hidden", "at most 31 layers"),
            (widths, "hidden", "1 to 65,536 units"),
            (bytes < ARTIFACT_BYTES_MAX, "hidden", "fewer weights than 256 MiB hold"),
            (self.stopping.is_none_or(share), "validation_share", "a share between 0 and 1"),
            (patience, "patience_epochs", "at least 1"),
        ] {
            if !holds {
                return Err(BuildError::Parameter { field, reason });
            }
        }
        Ok(())
    }

    /// Inputs and units of every layer.
    fn shapes(&self, data: &Dataset) -> Vec<[usize; 2]> {
        let units =
            || self.hidden.iter().map(|&units| units as usize).chain([data.truth.outputs()]);
        let inputs = [data.columns.len()].into_iter().chain(units());
        inputs.zip(units()).map(|(inputs, units)| [inputs, units]).collect()
    }
}

/// One training: who learns, from what, and how it went.
struct Run<'a> {
    data: &'a Dataset,
    training: &'a Training,
    fit: Fit,
    learned: Learned,
    learner: Learner<'a>,
    validation: Option<Examples>,
    curve: Vec<Epoch>,
    /// The weights of the epoch that did best on the rows that were held back.
    best: Option<(f32, Vec<LayerWeights>)>,
}

impl<'a> Run<'a> {
    fn new(data: &'a Dataset, training: &'a Training, held_back: Option<&Dataset>) -> Self {
        let fit = Fit::of(data);
        let learned = Learned::of(&data.truth);
        let examples = |of: &Dataset| Examples {
            rows: fit.apply(of),
            truth: learned.numbers(&of.truth),
            count: of.rows(),
        };
        let shapes = training.shapes(data);
        let validation = held_back.map(examples);
        let learner = Learner::new(training, &shapes, learned.loss(), examples(data));
        Self { data, training, learned, learner, validation, curve: Vec::new(), best: None, fit }
    }

    /// Runs every epoch, or until `patience` of them brought nothing; answers the best one.
    fn epochs(
        &mut self,
        patience: Option<u32>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<u32, BuildError> {
        let epochs_total = self.training.epochs;
        let mut kept = epochs_total;
        for epoch in 1..=epochs_total {
            let loss = self.learner.epoch()?;
            let held_back = self.validation.as_ref();
            let validation_loss = held_back.map(|rows| self.learner.loss_of(rows)).transpose()?;
            if !loss.is_finite() || validation_loss.is_some_and(|loss| !loss.is_finite()) {
                return Err(BuildError::Diverged { epoch });
            }
            self.curve.push(Epoch { loss, validation_loss });
            progress(Progress { epochs_done: epoch, epochs_total, loss });
            let Some((patience, loss)) = patience.zip(validation_loss) else { continue };
            if self.best.as_ref().is_none_or(|(best, _)| loss < *best) {
                self.best = Some((loss, self.learner.network.weights()?));
                kept = epoch;
            } else if epoch - kept >= patience {
                break;
            }
        }
        Ok(kept)
    }

    fn into_trained(self, stopped: Option<Stopped>) -> Result<Trained, BuildError> {
        let mut weights = match self.best {
            Some((_, weights)) => weights,
            None => self.learner.network.weights()?,
        };
        self.learned.unscale(&mut weights);
        let manifest = describe(self.data, self.training, self.fit, stopped);
        let file = Artifact::encode(&manifest, &weights)?;
        let loss = self.curve.last().map_or(f32::NAN, |epoch| epoch.loss);
        Ok(Trained { artifact: Artifact::parse(&file)?, file, loss, curve: self.curve, roc: None })
    }
}
