//! The file: one safetensors container, its only metadata key the manifest.
//!
//! Only one key, because safetensors keeps metadata in an unordered map: with two the same model
//! would have two digests.

use std::collections::HashMap;
use std::fmt;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::manifest::parameter_bytes;
use crate::{Digest, Manifest, ModelError, canonical};

/// The only metadata key of an artifact.
pub const MANIFEST_KEY: &str = "sealgate.manifest";
/// The largest artifact, in bytes.
pub const ARTIFACT_BYTES_MAX: usize = 256 << 20;
/// The largest header: enough for the manifest of the widest model, too little to fill memory.
const HEADER_BYTES_MAX: usize = 32 << 20;

/// A model's file, read and checked.
///
/// What was checked is the form. Whether these are the bytes somebody meant is for the caller to
/// ask, by [`Artifact::digest`].
pub struct Artifact {
    manifest: Manifest,
    layers: Vec<LayerWeights>,
    digest: Digest,
}

/// The parameters of one layer.
pub struct LayerWeights {
    /// Row-major, of shape [inputs, units].
    pub weight: Vec<f32>,
    /// Of shape [units].
    pub bias: Vec<f32>,
}

impl Artifact {
    /// Reads an artifact. Any bytes may be given.
    ///
    /// # Errors
    ///
    /// When the bytes are anything else than one artifact of this version: too large, another
    /// container, more metadata, an unknown or impossible manifest, other tensors than the
    /// architecture has, a weight that is not finite.
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelError> {
        check_sizes(bytes)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(ModelError::Format)?;
        let manifest = parse_manifest(header.metadata().as_ref())?;
        let tensors = SafeTensors::deserialize(bytes).map_err(ModelError::Format)?;
        let layers = read_layers(&manifest, &tensors)?;
        Ok(Self { manifest, layers, digest: Digest::of(bytes) })
    }

    /// Writes an artifact. The same manifest and weights give the same bytes.
    ///
    /// # Errors
    ///
    /// When [`Artifact::parse`] would refuse the result.
    pub fn encode(manifest: &Manifest, layers: &[LayerWeights]) -> Result<Vec<u8>, ModelError> {
        manifest.check()?;
        let text = canonical::to_string(manifest).map_err(ModelError::Manifest)?;
        let metadata = HashMap::from([(MANIFEST_KEY.to_owned(), text)]);
        let buffers = little_endian(layers);
        let tensors = named_views(manifest, &buffers)?;
        let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(ModelError::Format)?;
        Self::parse(&bytes)?;
        Ok(bytes)
    }

    /// What the artifact says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The parameters, layer by layer, as the file has them.
    #[must_use]
    pub fn layers(&self) -> &[LayerWeights] {
        &self.layers
    }

    /// The model's identity: SHA-256 of the whole file.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Which model it is; never its weights.
impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact")
            .field("name", &self.manifest.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Bounds the file and its header before anything is allocated for them.
fn check_sizes(bytes: &[u8]) -> Result<(), ModelError> {
    if bytes.len() > ARTIFACT_BYTES_MAX {
        return Err(ModelError::TooLarge { max: ARTIFACT_BYTES_MAX });
    }
    match bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length)) {
        Some(length) if length > HEADER_BYTES_MAX as u64 => {
            Err(ModelError::HeaderTooLarge { max: HEADER_BYTES_MAX })
        }
        _ => Ok(()),
    }
}

fn parse_manifest(metadata: Option<&HashMap<String, String>>) -> Result<Manifest, ModelError> {
    let text = match metadata {
        Some(metadata) if metadata.len() == 1 => metadata.get(MANIFEST_KEY),
        _ => None,
    };
    let text = text.ok_or(ModelError::Metadata { key: MANIFEST_KEY })?;
    let manifest: Manifest = serde_json::from_str(text).map_err(ModelError::Manifest)?;
    manifest.check()?;
    if canonical::to_string(&manifest).map_err(ModelError::Manifest)? != *text {
        return Err(ModelError::NotCanonical);
    }
    Ok(manifest)
}

fn read_layers(
    manifest: &Manifest,
    tensors: &SafeTensors<'_>,
) -> Result<Vec<LayerWeights>, ModelError> {
    if parameter_bytes(manifest).is_none_or(|bytes| bytes > ARTIFACT_BYTES_MAX) {
        return Err(ModelError::TooLarge { max: ARTIFACT_BYTES_MAX });
    }
    let expected = 2 * manifest.architecture.len();
    if tensors.len() != expected {
        return Err(ModelError::TensorCount { expected, found: tensors.len() });
    }
    let layer = |(index, (inputs, units))| {
        Ok(LayerWeights {
            weight: read_tensor(tensors, weight_name(index), &[inputs, units])?,
            bias: read_tensor(tensors, bias_name(index), &[units])?,
        })
    };
    manifest.shapes().enumerate().map(layer).collect()
}

fn read_tensor(
    tensors: &SafeTensors<'_>,
    name: String,
    shape: &[usize],
) -> Result<Vec<f32>, ModelError> {
    let Ok(tensor) = tensors.tensor(&name) else {
        return Err(ModelError::TensorMissing { name });
    };
    if tensor.dtype() != Dtype::F32 {
        return Err(ModelError::TensorType { name });
    }
    let (words, rest) = tensor.data().as_chunks::<4>();
    if tensor.shape() != shape || !rest.is_empty() {
        return Err(ModelError::TensorShape { name });
    }
    let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(ModelError::WeightNotFinite { name })
    }
}

/// The bytes of each layer's weight and bias.
fn little_endian(layers: &[LayerWeights]) -> Vec<[Vec<u8>; 2]> {
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    layers.iter().map(|layer| [bytes(&layer.weight), bytes(&layer.bias)]).collect()
}

fn named_views<'a>(
    manifest: &Manifest,
    buffers: &'a [[Vec<u8>; 2]],
) -> Result<Vec<(String, TensorView<'a>)>, ModelError> {
    let expected = manifest.architecture.len();
    if buffers.len() != expected {
        return Err(ModelError::TensorCount { expected: 2 * expected, found: 2 * buffers.len() });
    }
    let mut views = Vec::with_capacity(2 * expected);
    for (index, ((inputs, units), [weight, bias])) in manifest.shapes().zip(buffers).enumerate() {
        views.push(view(weight_name(index), vec![inputs, units], weight)?);
        views.push(view(bias_name(index), vec![units], bias)?);
    }
    Ok(views)
}

fn view(
    name: String,
    shape: Vec<usize>,
    bytes: &[u8],
) -> Result<(String, TensorView<'_>), ModelError> {
    match TensorView::new(Dtype::F32, shape, bytes) {
        Ok(view) => Ok((name, view)),
        Err(_) => Err(ModelError::TensorShape { name }),
    }
}

pub(crate) fn weight_name(layer: usize) -> String {
    format!("layers.{layer}.weight")
}

fn bias_name(layer: usize) -> String {
    format!("layers.{layer}.bias")
}
