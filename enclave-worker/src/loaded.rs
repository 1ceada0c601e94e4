//! The model a worker holds, and how it got it: in parts, checked against the promised digest.

use burn::tensor::Device;
use sealgate_model::{Artifact, Digest, Model, ModelError};

use crate::protocol::Interface;

/// A model that answers.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) model: Model,
    input: String,
    output: String,
    features: Vec<String>,
    /// SHA-256 of the feature schema, in hex.
    pub(crate) schema_digest: String,
}

impl Loaded {
    pub(crate) fn interface(&self) -> Interface<'_> {
        Interface {
            model: &self.name,
            version: &self.version,
            input: &self.input,
            output: &self.output,
            features: &self.features,
        }
    }

    /// The first feature that the model needs and the grant does not let the caller send.
    pub(crate) fn undeclared(&self, declared: &[String]) -> Option<&str> {
        if declared.is_empty() {
            return None;
        }
        self.features.iter().find(|feature| !declared.contains(feature)).map(String::as_str)
    }
}

/// A model on its way in.
pub(crate) struct Incoming {
    name: String,
    version: String,
    digest: [u8; 32],
    expected_bytes: usize,
    bytes: Vec<u8>,
}

impl Incoming {
    pub(crate) fn new(
        name: String,
        version: String,
        digest: [u8; 32],
        bytes: u64,
    ) -> Result<Self, LoadError> {
        let expected_bytes = usize::try_from(bytes)
            .ok()
            .filter(|&n| n <= sealgate_model::ARTIFACT_BYTES_MAX)
            .ok_or(LoadError::TooLarge { bytes })?;
        Ok(Self {
            name,
            version,
            digest,
            expected_bytes,
            bytes: Vec::with_capacity(expected_bytes),
        })
    }

    /// Adds a part; true when it was the last.
    pub(crate) fn push(&mut self, part: &[u8]) -> Result<bool, LoadError> {
        if part.len() > self.expected_bytes - self.bytes.len() {
            return Err(LoadError::Overrun);
        }
        self.bytes.extend_from_slice(part);
        Ok(self.bytes.len() == self.expected_bytes)
    }

    /// Checks the digest before a byte is parsed, loads the network and runs it once.
    pub(crate) fn load(self, device: &Device) -> Result<Loaded, LoadError> {
        if Digest::of(&self.bytes).as_bytes() != &self.digest {
            return Err(LoadError::Digest);
        }
        let artifact = Artifact::parse(&self.bytes)?;
        let manifest = artifact.manifest();
        if manifest.outputs() != 1 {
            return Err(LoadError::NotBinary { outputs: manifest.outputs() });
        }
        let model = Model::load(&artifact, device)?;
        model.warm_up()?;
        Ok(Loaded {
            name: self.name,
            version: self.version,
            model,
            input: manifest.input.clone(),
            output: manifest.output.clone(),
            schema_digest: hex::encode(manifest.schema_digest()?.as_bytes()),
            features: manifest.features.iter().map(|feature| feature.name.clone()).collect(),
        })
    }
}

/// Why a model was not taken; said to the gateway's operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("an artifact of {bytes} bytes is too large")]
    TooLarge { bytes: u64 },
    #[error("more bytes than announced")]
    Overrun,
    #[error("a part without an announcement")]
    Unannounced,
    #[error("the bytes are not the promised artifact")]
    Digest,
    #[error("the network has {outputs} outputs; one probability is what this worker serves")]
    NotBinary { outputs: usize },
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl LoadError {
    pub(crate) const fn unannounced() -> Self {
        Self::Unannounced
    }
}
