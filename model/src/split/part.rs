//! The file of one part: a safetensors container like a model's, under another key.

use std::collections::HashMap;
use std::fmt;

use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use super::plan::manifest_of;
use super::{Cut, PARTS_MAX};
use crate::artifact::check_sizes;
use crate::manifest::{check_standardisation, is_name, require};
use crate::tensors::{self, Shapes};
use crate::{
    Activation, DEPTH_MAX, Dense, Digest, FORMAT, LayerWeights, Manifest, ModelError,
    Standardisation, WIDTH_MAX, WeightFormat, canonical,
};

/// The only metadata key of a part.
pub const PART_KEY: &str = "sealgate.part";

/// A part's file, read and checked.
pub struct Part {
    manifest: PartManifest,
    layers: Vec<LayerWeights>,
    digest: Digest,
}

/// What a part says about itself. It does not say what its values mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartManifest {
    format: u32,
    kind: Kind,
    /// The model's name.
    pub name: String,
    /// SHA-256 of the whole model's file.
    pub of: Digest,
    /// Which part, from 0.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// How the weights are stored.
    pub weights: WeightFormat,
    /// What is done to the rows of the first segment, where those are a caller's.
    pub standardisation: Option<Standardisation>,
    /// What it computes, a question each.
    pub segments: Vec<SegmentManifest>,
}

/// Layers that are computed in one go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentManifest {
    /// Values of a row.
    pub inputs: u32,
    /// Layer by layer.
    pub layers: Vec<Dense>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Part,
}

impl Part {
    /// Writes part `part` of `parts` of a model that is cut like this; `layers` are the weights of
    /// [`Cut::slices`], one after the other.
    ///
    /// # Errors
    ///
    /// When [`Part::parse`] would refuse the result.
    pub fn encode(
        model: &Manifest,
        of: Digest,
        cut: &Cut,
        [part, parts]: [usize; 2],
        layers: &[LayerWeights],
    ) -> Result<Vec<u8>, ModelError> {
        cut.check(model, parts)?;
        let manifest = manifest_of(model, of, cut, [part, parts]);
        manifest.check()?;
        let text = canonical::to_string(&manifest).map_err(ModelError::Manifest)?;
        let bytes = tensors::container(PART_KEY, text, &manifest.shapes(), layers)?;
        Self::parse(&bytes).map(|_| bytes)
    }

    /// Reads a part. Any bytes may be given.
    ///
    /// # Errors
    ///
    /// As of [`Artifact::parse`](crate::Artifact::parse); [`ModelError::NotPart`] for a whole model.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        check_sizes(bytes)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(ModelError::Format)?;
        let manifest = parse_manifest(header.metadata().as_ref())?;
        let tensors = SafeTensors::deserialize(bytes).map_err(ModelError::Format)?;
        let layers = tensors::read(&manifest.shapes(), &tensors)?;
        Ok(Self { manifest, layers, digest: Digest::of(bytes) })
    }

    /// What it says about itself.
    #[must_use]
    pub fn manifest(&self) -> &PartManifest {
        &self.manifest
    }

    /// Its parameters, layer by layer through all segments.
    #[must_use]
    pub fn layers(&self) -> &[LayerWeights] {
        &self.layers
    }

    /// SHA-256 of the file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl PartManifest {
    pub(crate) fn new(
        name: String,
        of: Digest,
        [part, parts]: [u32; 2],
        weights: WeightFormat,
        standardisation: Option<Standardisation>,
        segments: Vec<SegmentManifest>,
    ) -> Self {
        let (format, kind) = (FORMAT, Kind::Part);
        Self { format, kind, name, of, part, parts, weights, standardisation, segments }
    }

    fn check(&self) -> Result<(), ModelError> {
        require(self.format == FORMAT, "format", "format 1")?;
        require(is_name(&self.name), "name", "1 to 64 of a-z, 0-9, `.`, `_`, `-`")?;
        require((2..=PARTS_MAX).contains(&(self.parts as usize)), "parts", "2 to 8 parts")?;
        require(self.part < self.parts, "part", "a number below that of the parts")?;
        let depth: usize = self.segments.iter().map(|segment| segment.layers.len()).sum();
        require((1..=DEPTH_MAX).contains(&depth), "segments", "1 to 32 layers")?;
        self.segments.iter().try_for_each(SegmentManifest::check)?;
        match (&self.standardisation, self.segments.first()) {
            (Some(fit), Some(first)) => check_standardisation(fit, first.inputs as usize),
            _ => Ok(()),
        }
    }

    fn shapes(&self) -> Shapes {
        let layers = self.segments.iter().flat_map(SegmentManifest::shapes).collect();
        Shapes { weights: self.weights, layers }
    }
}

impl SegmentManifest {
    fn check(&self) -> Result<(), ModelError> {
        let wide = |values: u32| (1..=WIDTH_MAX).contains(&(values as usize));
        require(!self.layers.is_empty(), "segments", "no segment without layers")?;
        require(wide(self.inputs), "segments", "1 to 65,536 inputs")?;
        for (index, layer) in self.layers.iter().enumerate() {
            require(wide(layer.units), "segments", "1 to 65,536 units")?;
            let finite = layer.activation.alpha().is_none_or(f32::is_finite);
            require(finite, "segments", "a finite `alpha`")?;
            let last = index + 1 == self.layers.len();
            let fits = last || layer.activation != Activation::Softmax;
            require(fits, "segments", "`softmax` in a last layer only")?;
        }
        Ok(())
    }

    /// Inputs and units of each layer.
    fn shapes(&self) -> impl Iterator<Item = (usize, usize)> {
        let units = || self.layers.iter().map(|layer| layer.units as usize);
        std::iter::once(self.inputs as usize).chain(units()).zip(units())
    }

    /// Values that a row has in the end.
    pub(crate) fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.units as usize)
    }
}

/// How a part stores its weights. Quantised ones are stored in 32 bits: the scale of a unit speaks of
/// all its weights, and a part that has only some of them would round them once more.
pub(crate) fn weights_of(model: WeightFormat) -> WeightFormat {
    match model {
        WeightFormat::F16 => WeightFormat::F16,
        WeightFormat::F32 | WeightFormat::Int8 => WeightFormat::F32,
    }
}

fn parse_manifest(metadata: Option<&HashMap<String, String>>) -> Result<PartManifest, ModelError> {
    let text = match metadata {
        Some(metadata) if metadata.len() == 1 => metadata.get(PART_KEY),
        _ => None,
    };
    let text = text.ok_or(ModelError::NotPart)?;
    let manifest: PartManifest = serde_json::from_str(text).map_err(ModelError::Manifest)?;
    manifest.check()?;
    if canonical::to_string(&manifest).map_err(ModelError::Manifest)? != *text {
        return Err(ModelError::NotCanonical);
    }
    Ok(manifest)
}

/// Which part it is; never its weights.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.manifest.name)
            .field("part", &self.manifest.part)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}
