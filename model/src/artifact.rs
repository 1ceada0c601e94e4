//! The file: one safetensors container, its only metadata key the manifest.
//!
//! Only one key, because safetensors keeps metadata in an unordered map: with two the same model
//! would have two digests.

use std::collections::HashMap;
use std::fmt;

use safetensors::tensor::SafeTensors;

use crate::split::PART_KEY;
use crate::tensors::{self, Shapes};
use crate::{Digest, LayerWeights, Manifest, ModelError, canonical};

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
        let layers = tensors::read(&shapes(&manifest), &tensors)?;
        Ok(Self { manifest, layers, digest: Digest::of(bytes) })
    }

    /// Writes an artifact, its weights in the manifest's format. The same manifest and weights give
    /// the same bytes.
    ///
    /// # Errors
    ///
    /// When [`Artifact::parse`] would refuse the result: in 16 bits a weight can be infinite.
    pub fn encode(manifest: &Manifest, layers: &[LayerWeights]) -> Result<Vec<u8>, ModelError> {
        manifest.check()?;
        let text = canonical::to_string(manifest).map_err(ModelError::Manifest)?;
        let bytes = tensors::container(MANIFEST_KEY, text, &shapes(manifest), layers)?;
        Self::parse(&bytes)?;
        Ok(bytes)
    }

    /// What the artifact says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The parameters, layer by layer, in 32 bits.
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
pub(crate) fn check_sizes(bytes: &[u8]) -> Result<(), ModelError> {
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
    if metadata.is_some_and(|metadata| metadata.contains_key(PART_KEY)) {
        return Err(ModelError::IsPart);
    }
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

fn shapes(manifest: &Manifest) -> Shapes {
    Shapes { weights: manifest.weights, layers: manifest.shapes().collect() }
}
