//! What the fuzzer drives and the tests replay.
//!
//! Each target takes any bytes and panics when a promise about them is broken. `fuzz/bin` drives
//! them with libFuzzer, `tests/corpora.rs` replays `fuzz/corpus` through them.
//!
//! | target | what reads the bytes | promises |
//! |---|---|---|
//! | [`frame()`] | the hop: frame, hello, grant, outcome, control, request, answer | what is read is written back; nothing unsealed opens |
//! | [`binary_http()`] | binary HTTP inside the seal | what is read is written back; padding is zeros |
//! | [`sealed_request()`] | a worker's own keys | a changed sealed request never opens, an unchanged one once |
//! | [`worker_request()`] | the worker's reader, on what a sealed request held | rows have the model's shape; a refusal is JSON; answers keep their size |
//! | [`grpc_names()`] | the names in a message of gRPC, by gateway and worker | both read the same model and version, or none |
//! | [`key_list()`] | key lists, keysets, nonce paths, receipts | what is read is written back; nothing unsigned verifies |
//! | [`evidence()`] | the judge of evidence | no bytes are accepted |
//! | [`sealed_model()`] | model files at rest | what opens is what was sealed |
//! | [`onnx()`] | the import of ONNX models | what is imported is a network |
//! | [`tflite()`] | the import of TFLite models | what is imported is a network |
//! | [`sequential()`] | the import of a PyTorch Sequential's weights, and the words beside them | what is imported is a network |

#![expect(clippy::expect_used, reason = "a target panics when a promise is broken")]

mod binary_http;
mod cursor;
mod evidence;
mod foreign_model;
mod frame;
mod grpc_names;
mod key_list;
mod nonces;
mod sealed_model;
mod sealed_request;
mod seeds;
mod worker_request;

pub use binary_http::binary_http;
pub use evidence::evidence;
pub use foreign_model::{onnx, sequential, tflite};
pub use frame::frame;
pub use grpc_names::grpc_names;
pub use key_list::key_list;
pub use sealed_model::sealed_model;
pub use sealed_request::sealed_request;
pub use seeds::seeds;
pub use worker_request::worker_request;

/// A target by its name, which is also that of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 11] = [
    ("frame", frame),
    ("binary_http", binary_http),
    ("sealed_request", sealed_request),
    ("worker_request", worker_request),
    ("grpc_names", grpc_names),
    ("key_list", key_list),
    ("evidence", evidence),
    ("sealed_model", sealed_model),
    ("onnx", onnx),
    ("tflite", tflite),
    ("sequential", sequential),
];
