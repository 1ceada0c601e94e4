//! What a trained artifact says about itself.

use sealgate_model::{
    Activation, DataSource, Dense, EarlyStopping, Engine, FORMAT, Feature, Manifest, Optimiser,
    Provenance, Task, WeightFormat,
};

use crate::fit::Fit;
use crate::{Column, Dataset, Training, Truth};

/// How a training ended that was stopped by rows it did not learn from.
pub(crate) struct Stopped {
    /// How many rows these are.
    pub(crate) rows: usize,
    /// After how many epochs without an improvement it would stop.
    pub(crate) patience: u32,
    /// The epoch whose weights were kept.
    pub(crate) kept: u32,
}

/// The manifest of a network that learned `data`.
pub(crate) fn describe(
    data: &Dataset,
    training: &Training,
    fit: Fit,
    stopped: Option<Stopped>,
) -> Manifest {
    let relu = |&units: &u32| Dense { units, activation: Activation::Relu };
    let (output, activation, task) = answer(&data.truth);
    let head = Dense { units: whole(data.truth.outputs()), activation };
    let feature = |(column, range): (&Column, [f32; 2])| Feature {
        name: column.name.clone(),
        unit: column.unit.clone(),
        range: Some(range),
    };
    Manifest {
        format: FORMAT,
        name: training.model.clone(),
        architecture: training.hidden.iter().map(relu).chain([head]).collect(),
        weights: WeightFormat::F32,
        input: "x".to_owned(),
        output: output.to_owned(),
        features: data.columns.iter().zip(fit.ranges).map(feature).collect(),
        standardisation: Some(fit.standardisation),
        task,
        provenance: provenance(data, training, stopped),
    }
}

/// The output's name, what the last layer does, and what the answer means.
fn answer(truth: &Truth) -> (&'static str, Activation, Task) {
    match truth {
        Truth::Binary { classes, .. } => {
            let task = Task::Binary { positive: classes[1].clone(), classes: classes.clone() };
            ("probability", Activation::Sigmoid, task)
        }
        Truth::Classes { classes, .. } => {
            let task = Task::Multiclass { classes: classes.clone() };
            ("probabilities", Activation::Softmax, task)
        }
        Truth::Numbers { quantity, .. } => {
            let task = Task::Regression { targets: vec![quantity.clone()] };
            ("value", Activation::Linear, task)
        }
    }
}

fn provenance(data: &Dataset, training: &Training, stopped: Option<Stopped>) -> Provenance {
    Provenance::Trained {
        dataset: DataSource {
            name: data.name.clone(),
            sha256: data.sha256,
            rows: whole(data.rows()),
        },
        seed: training.seed,
        epochs: training.epochs,
        optimiser: Optimiser {
            name: "adam".to_owned(),
            learning_rate: training.learning_rate,
            batch_rows: training.batch_rows,
        },
        engine: Engine { name: "burn-flex".to_owned(), version: BURN_VERSION.to_owned() },
        early_stopping: stopped.map(|Stopped { rows, patience, kept }| EarlyStopping {
            validation_rows: whole(rows),
            patience_epochs: patience,
            kept_epoch: kept,
        }),
    }
}

fn whole(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
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
