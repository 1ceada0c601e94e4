//! The same network in fewer bits, and what that costs.

use burn::tensor::Device;
use sealgate_model::{Artifact, Manifest, Model, Provenance, Rows, WeightFormat};

use crate::{BuildError, Score, Truth};

/// A compressed model, and how it compares with the one it was made from.
#[derive(Debug)]
pub struct Compression {
    /// The artifact's bytes, as they belong into a file.
    pub file: Vec<u8>,
    /// The same, read.
    pub artifact: Artifact,
    /// Bytes of the parameters, before and after.
    pub weight_bytes: [usize; 2],
    /// Bytes of the file, before and after.
    pub file_bytes: [usize; 2],
    /// How far two answers are apart at most.
    pub largest_difference: f64,
    /// How far two answers are apart in the mean.
    pub mean_difference: f64,
    /// How good both are, before and after, where the truth is known.
    pub scores: Option<[Score; 2]>,
}

/// Stores `artifact`, a file of `file_bytes`, with weights of fewer bits, and compares both on
/// `rows`.
///
/// # Errors
///
/// When the weights would not become smaller or were compressed before, when one does not fit
/// into 16 bits, or when either model cannot score the rows.
pub fn compress(
    artifact: &Artifact,
    file_bytes: usize,
    to: WeightFormat,
    rows: &Rows,
    truth: Option<&Truth>,
) -> Result<Compression, BuildError> {
    let manifest = compressed(artifact, to)?;
    let file = Artifact::encode(&manifest, artifact.layers())?;
    let smaller = Artifact::parse(&file)?;
    let answers = |of: &Artifact| Model::load(of, &Device::flex())?.infer(rows);
    let (before, after) = (answers(artifact)?, answers(&smaller)?);
    let apart = |(before, after): (&f32, &f32)| f64::from(before - after).abs();
    let differences: Vec<f64> = before.values().iter().zip(after.values()).map(apart).collect();
    Ok(Compression {
        weight_bytes: [artifact.manifest().weight_bytes(), manifest.weight_bytes()],
        file_bytes: [file_bytes, file.len()],
        file,
        artifact: smaller,
        largest_difference: differences.iter().copied().fold(0.0, f64::max),
        mean_difference: differences.iter().sum::<f64>() / differences.len() as f64,
        scores: truth.map(|truth| [&before, &after].map(|outputs| Score::of(outputs, truth))),
    })
}

impl Compression {
    /// What was lost: of the score where the truth is known, else the largest difference.
    #[must_use]
    pub fn loss(&self) -> f64 {
        match &self.scores {
            Some([before, after]) => before.loss(after),
            None => self.largest_difference,
        }
    }

    /// Passes on what lost no more than `max`.
    ///
    /// # Errors
    ///
    /// When it lost more.
    pub fn within(self, max: f64) -> Result<Self, BuildError> {
        match self.loss() {
            loss if loss <= max => Ok(self),
            loss => Err(BuildError::LossTooLarge { loss, max }),
        }
    }
}

fn compressed(artifact: &Artifact, to: WeightFormat) -> Result<Manifest, BuildError> {
    let manifest = artifact.manifest();
    if matches!(manifest.provenance, Provenance::Compressed { .. }) {
        return Err(BuildError::CompressedBefore);
    }
    let provenance = Provenance::Compressed {
        of: artifact.digest(),
        from: manifest.weights,
        original: Box::new(manifest.provenance.clone()),
    };
    let smaller = Manifest { weights: to, provenance, ..manifest.clone() };
    if smaller.weight_bytes() < manifest.weight_bytes() {
        Ok(smaller)
    } else {
        Err(BuildError::NotSmaller { from: manifest.weights, to })
    }
}
