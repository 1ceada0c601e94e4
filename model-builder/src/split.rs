//! One model as several parts that compute it together.

use sealgate_model::split::{Cut, Part, Plan, Slice};
use sealgate_model::{Artifact, Digest, LayerWeights, ModelError};

use crate::BuildError;

/// How a model is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// Each part has some units of every pair of layers: parts work at the same time.
    Columns,
    /// Each part has some layers: parts work on one block of rows after the other.
    Layers,
}

/// A model in parts.
#[derive(Debug)]
pub struct SplitModel {
    /// The plan, as it belongs into `plan.json`.
    pub file: Vec<u8>,
    /// The same, read.
    pub plan: Plan,
    /// The bytes of each part's file.
    pub parts: Vec<Vec<u8>>,
}

/// Cuts a model into `parts` parts.
///
/// # Errors
///
/// When it cannot be cut so, or when a part would be larger than a file may be: weights that were
/// quantised are stored in 32 bits.
pub fn split(artifact: &Artifact, parts: usize, by: SplitBy) -> Result<SplitModel, BuildError> {
    let manifest = artifact.manifest();
    let cut = match by {
        SplitBy::Columns => Cut::columns(manifest, parts)?,
        SplitBy::Layers => Cut::layers(manifest, parts)?,
    };
    let (of, mut files) = (artifact.digest(), Vec::with_capacity(parts));
    for part in 0..parts {
        let slices = cut.slices(manifest, part);
        let layers = slices.iter().flatten().map(|slice| sliced(slice, artifact.layers()));
        let layers: Vec<_> = layers.collect::<Result<_, _>>()?;
        files.push(Part::encode(manifest, of, &cut, [part, parts], &layers)?);
    }
    let digests = files.iter().map(|file| Digest::of(file)).collect();
    let file = Plan::encode(manifest, of, &cut, digests)?;
    Ok(SplitModel { plan: Plan::parse(&file)?, file, parts: files })
}

/// What a part has of a layer's weights.
fn sliced(slice: &Slice, layers: &[LayerWeights]) -> Result<LayerWeights, ModelError> {
    const NO_SUCH: ModelError = ModelError::Cut { reason: "a layer has not the shape it should" };
    let layer = layers.get(slice.layer).ok_or(NO_SUCH)?;
    let rows = layer.weight.chunks_exact(layer.bias.len().max(1));
    let rows = rows.skip(slice.inputs.start).take(slice.inputs.len());
    let mut weight = Vec::with_capacity(slice.inputs.len() * slice.units.len());
    for row in rows {
        weight.extend_from_slice(row.get(slice.units.clone()).ok_or(NO_SUCH)?);
    }
    let bias = match slice.biased {
        true => layer.bias.get(slice.units.clone()).ok_or(NO_SUCH)?.to_vec(),
        false => vec![0.0; slice.units.len()],
    };
    Ok(LayerWeights { weight, bias })
}
