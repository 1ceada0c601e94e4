//! The network and its file.
//!
//! An [`Artifact`] is one safetensors file with a [`Manifest`] inside: what the network looks
//! like, what it expects, what it answers and where it came from. A [`Model`] is that network,
//! ready to score [`Rows`]: in vector instructions, after an engine of burn has found them to
//! compute what it computes itself. There is no training here, no import, no file access and
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
mod folding;
mod fused;
mod judge;
mod manifest;
mod model;
mod network;
mod path;
mod rows;
pub mod split;
mod stack;
mod tensors;

// Tests beside the code share their samples with the tests from outside, by the same name.
#[cfg(test)]
extern crate self as sealgate_model;
#[cfg(test)]
#[path = "../tests/model/reference.rs"]
mod reference;
#[cfg(test)]
#[allow(dead_code, missing_docs, clippy::unwrap_used, reason = "a test may panic and use a part")]
#[path = "../tests/model/sample.rs"]
mod sample;

pub use artifact::{ARTIFACT_BYTES_MAX, Artifact, MANIFEST_KEY};
pub use digest::Digest;
pub use error::ModelError;
pub use judge::Judgement;
pub use manifest::{
    Activation, DEPTH_MAX, DataSource, Dense, EarlyStopping, Engine, FORMAT, Feature, Manifest,
    Optimiser, Provenance, Quantity, Standardisation, Task, WIDTH_MAX, WeightFormat,
};
pub use model::Model;
pub use network::Network;
pub use rows::{Outputs, Rows};
pub use tensors::LayerWeights;
