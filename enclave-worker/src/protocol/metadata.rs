//! What the model says about itself. The bodies matter: clients of the protocol decode them.

use super::{Interface, Refusal};
use serde::Serialize;

/// The answer to [`super::Route::Metadata`].
///
/// # Errors
/// [`Refusal::AnswerNotWritten`].
pub fn encode_metadata(interface: &Interface<'_>) -> Result<Vec<u8>, Refusal> {
    let metadata = Metadata {
        name: interface.model,
        versions: [interface.version],
        platform: PLATFORM,
        inputs: [Tensor::of(interface.input, interface.features.len())],
        outputs: [Tensor::of(interface.output, 1)],
    };
    serde_json::to_vec(&metadata).map_err(|_| Refusal::AnswerNotWritten)
}

/// The answer to [`super::Route::Ready`]: a worker that answers has its model loaded.
#[must_use]
pub fn encode_ready() -> Vec<u8> {
    br#"{"ready":true}"#.to_vec()
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    versions: [&'a str; 1],
    platform: &'a str,
    inputs: [Tensor<'a>; 1],
    outputs: [Tensor<'a>; 1],
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    datatype: &'a str,
    /// As many rows as the caller likes, said as -1, and the width.
    shape: (i8, usize),
}

impl<'a> Tensor<'a> {
    const fn of(name: &'a str, width: usize) -> Self {
        Self { name, datatype: "FP32", shape: (-1, width) }
    }
}

const PLATFORM: &str = "sealgate";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::tests::interface;
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_metadata_has_the_protocols_form() {
        let features = ["age".to_owned(), "dose".to_owned()];
        let body = encode_metadata(&interface(&features)).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({
                "name": "triage",
                "versions": ["3"],
                "platform": "sealgate",
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
                "outputs": [{"name": "probability", "datatype": "FP32", "shape": [-1, 1]}],
            })
        );
    }
}
