//! The network and its file.
//!
//! An [`Artifact`] is one safetensors file with a [`Manifest`] inside: what the network looks
//! like, what it expects, what it answers and where it came from. A [`Model`] is that network on
//! an engine, ready to score [`Rows`]. There is no training here, no import, no file access and
//! no clock; the engine is a value that the caller passes.
//!
//! The SHA-256 of the whole file is the model's identity ([`Artifact::digest`]). A flipped bit in
//! a weight leaves the file well formed, so whoever loads a model compares the digest with the
//! one it was promised.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use sealgate_model::{Artifact, Model, ModelError, Rows};
//!
//! fn score(file: &[u8], device: &Device, raw: Vec<f32>) -> Result<(), ModelError> {
//!     let artifact = Artifact::parse(file)?;
//!     let model = Model::load(&artifact, device)?;
//!     model.warm_up()?;
//!     let scores = model.infer(&Rows::new(1, model.features(), raw)?)?;
//!     assert_eq!(scores.count(), 1);
//!     Ok(())
//! }
//! ```

mod artifact;
mod canonical;
mod digest;
mod error;
mod manifest;
mod network;
mod rows;

pub use artifact::{ARTIFACT_BYTES_MAX, Artifact, LayerWeights, MANIFEST_KEY};
pub use digest::Digest;
pub use error::ModelError;
pub use manifest::{
    Activation, DEPTH_MAX, DataSource, Dense, Engine, FORMAT, Feature, Manifest, Optimiser,
    Provenance, Standardisation, Task, WIDTH_MAX, WeightFormat,
};
pub use network::Model;
pub use rows::{Outputs, Rows};
