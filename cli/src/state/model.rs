//! The demo's model: trained once, on the data set that comes with the program.

use std::path::PathBuf;

use sealgate_model::Artifact;
use sealgate_model_builder::{Training, train, wdbc};

use super::{State, files};
use crate::error::CliError;
use crate::progress::Progress;

/// The demo's model, as the policy folder knows it.
pub(crate) const NAME: &str = "breast-cancer";
/// Its only version.
pub(crate) const VERSION: &str = "1";

/// Whether there was anything to do.
pub(crate) enum Prepared {
    /// It was trained just now.
    Trained,
    /// It was there.
    Kept,
}

/// Trains the model with seed 1 if it is missing.
pub(crate) fn prepare(state: &State) -> Result<Prepared, CliError> {
    let path = path(state);
    if path.exists() {
        return Ok(Prepared::Kept);
    }
    let training = Training { model: NAME.to_owned(), seed: 1, ..Training::default() };
    let bar = Progress::new("training");
    let mut show = |step: sealgate_model_builder::Progress| {
        bar.at(step.epochs_done.into(), step.epochs_total.into());
    };
    let trained = train(&wdbc()?, &training, &mut show)?;
    if let Some(dir) = path.parent() {
        files::private_dir(dir)?;
    }
    files::replace(&path, &trained.file)?;
    Ok(Prepared::Trained)
}

/// Reads it.
pub(crate) fn load(state: &State) -> Result<Artifact, CliError> {
    let path = path(state);
    let bytes = std::fs::read(&path).map_err(CliError::io("read", &path))?;
    Artifact::parse(&bytes).map_err(|error| CliError::StateDamaged { path, why: error.to_string() })
}

/// Where it is.
pub(crate) fn path(state: &State) -> PathBuf {
    state.path(&format!("models/{NAME}/{VERSION}/model.safetensors"))
}
