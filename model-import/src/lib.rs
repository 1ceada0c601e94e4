//! Reads the networks of other frameworks.
//!
//! A file of ONNX, of TFLite, or of a PyTorch Sequential's weights becomes a [`Network`]: dense
//! layers with an activation each, what is done to raw values before them, and what the answer is.
//! Nothing here knows an engine, our own file, or a path: bytes go in, numbers come out.
//!
//! ```no_run
//! use sealgate_model_import::{ImportError, Source, read};
//!
//! fn layers(file: &[u8]) -> Result<usize, ImportError> {
//!     let network = read(&Source::of(file))?;
//!     Ok(network.layers.len())
//! }
//! ```
//!
//! The way of a file:
//!
//! 1. `onnx`, `tflite`: bytes to a graph of named nodes. Nothing is allocated for a number that a
//!    file merely claims, and nothing is followed twice.
//! 2. `chain`: from the answer back to the input, one step a node. A branch that gives labels is
//!    left behind; a node that no step stands for is refused by its name.
//! 3. `fold`: in 64 bits, steps that are affine are multiplied out, until layers are left.
//!
//! A PyTorch Sequential is a list of steps already and begins at 3.

mod chain;
mod error;
mod float;
mod fold;
mod graph;
mod network;
mod onnx;
mod sequential;
mod source;
mod tensor;
mod tflite;

pub use error::{ImportError, Why};
pub use network::{Activation, Format, Head, Layer, Network, Standardisation};
pub use source::{FILE_BYTES_MAX, Source, outside_file, read};

/// The largest number of features, and of units of a layer.
pub const WIDTH_MAX: usize = 65_536;
/// The largest number of layers.
pub const DEPTH_MAX: usize = 32;
