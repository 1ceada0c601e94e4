//! A network of another framework as an artifact.

mod manifest;
mod reference;
mod schema;

use std::fmt;

use sealgate_model::{Artifact, LayerWeights};
use sealgate_model_import::{Layer, Network, Source, read};

use crate::BuildError;

pub use reference::{Difference, REFERENCE_BYTES_MAX, Reference};
pub use schema::{SCHEMA_BYTES_MAX, Schema, SchemaFeature, SchemaTarget};

/// What an import gives.
pub struct Imported {
    /// The artifact.
    pub artifact: Artifact,
    /// Its bytes.
    pub file: Vec<u8>,
    /// What is left to say: what the file could not, and what it did otherwise.
    pub notes: Vec<&'static str>,
    /// Whether the positive class is the file's first one, so that answers are turned around.
    turned: bool,
}

/// Reads a network and makes an artifact of it, which has been read again before it is given.
///
/// # Errors
///
/// When the file cannot be imported, or the schema does not fit it.
pub fn import(name: &str, source: &Source<'_>, schema: &Schema) -> Result<Imported, BuildError> {
    let mut network = read(source)?;
    let notes = notes(&network, schema);
    let meaning = manifest::Meaning::of(&network, schema)?;
    if meaning.turned {
        turn(&mut network);
    }
    let turned = meaning.turned;
    let manifest = manifest::write(name, source.file, &network, schema, meaning)?;
    let weights = |layer: Layer| LayerWeights { weight: layer.weight, bias: layer.bias };
    let layers: Vec<LayerWeights> = network.layers.into_iter().map(weights).collect();
    let file = Artifact::encode(&manifest, &layers)?;
    let artifact = Artifact::parse(&file)?;
    Ok(Imported { artifact, file, notes, turned })
}

/// The sigmoid of the opposite is the probability of the other class.
fn turn(network: &mut Network) {
    if let Some(last) = network.layers.last_mut() {
        last.weight.iter_mut().chain(&mut last.bias).for_each(|value| *value = -*value);
    }
}

fn notes(network: &Network, schema: &Schema) -> Vec<&'static str> {
    let mut notes = vec![];
    if schema.features.is_none() && network.features.is_none() {
        notes.push("the file does not name its features: they are called x0, x1, .. until `--schema FILE` says how");
    }
    if network.rounds_activations {
        notes.push("the file rounds activations to 8 bits, the artifact does not: their answers differ by that");
    }
    notes
}

/// Which model it is; never its weights.
impl fmt::Debug for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imported").field("artifact", &self.artifact).finish_non_exhaustive()
    }
}
