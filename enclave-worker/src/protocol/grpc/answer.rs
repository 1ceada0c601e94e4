//! What is answered to each method.

use super::write::Message;
use crate::protocol::answer::label_bytes;
use crate::protocol::interface::LABEL;
use crate::protocol::metadata::{MODEL_DIGEST, PLATFORM};
use crate::protocol::outputs::{Wanted, Which};
use crate::protocol::{Interface, Refusal};

/// `ModelInferResponse`: tensors raw, little-endian.
pub(in crate::protocol) fn predictions(
    interface: &Interface<'_>,
    id: Option<&str>,
    wanted: &[Wanted],
    scores: &[f32],
) -> Result<Vec<u8>, Refusal> {
    let width = interface.width.max(1);
    let rows = i64::try_from(scores.len() / width).map_err(|_| Refusal::AnswerNotWritten)?;
    let columns = i64::try_from(width).map_err(|_| Refusal::AnswerNotWritten)?;
    let mut answer = Message::default().text(1, interface.model).text(2, interface.version);
    if let Some(id) = id {
        answer = answer.text(3, id);
    }
    let mut raw = Vec::with_capacity(wanted.len());
    for Wanted { output, .. } in wanted {
        let (name, datatype, shape, bytes) = match output {
            Which::Scores => {
                let bytes = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
                (interface.output, "FP32", [rows, columns], bytes)
            }
            Which::Label => (LABEL, "BYTES", [rows, 1], label_bytes(interface, scores)?),
        };
        let tensor = Message::default().text(1, name).text(2, datatype).shape(3, shape);
        answer = answer.message(5, &tensor);
        raw.push(bytes);
    }
    Ok(raw.iter().fold(answer, |answer, bytes| answer.bytes(6, bytes)).into_bytes())
}

/// `ModelReadyResponse`: who answers has the model loaded.
pub(in crate::protocol) fn ready() -> Vec<u8> {
    Message::default().integer(1, 1).into_bytes()
}

/// `ModelMetadataResponse`, with the `parameters` that MLServer's has; other clients skip them.
pub(in crate::protocol) fn metadata(interface: &Interface<'_>) -> Vec<u8> {
    let tensor = |name, width: usize| {
        let width = i64::try_from(width).unwrap_or(i64::MAX);
        Message::default().text(1, name).text(2, "FP32").shape(3, [-1, width])
    };
    Message::default()
        .text(1, interface.model)
        .text(2, interface.version)
        .text(3, PLATFORM)
        .message(4, &tensor(interface.input, interface.features.len()))
        .message(5, &tensor(interface.output, interface.width))
        .message(6, &parameter(interface, 3))
        .into_bytes()
}

/// `ModelConfigResponse`, with the fields of Triton's `ModelConfig` that mean something here.
pub(in crate::protocol) fn config(interface: &Interface<'_>, rows_max: usize) -> Vec<u8> {
    let input = Message::default()
        .text(1, interface.input)
        .integer(2, TYPE_FP32)
        .integer(4, interface.features.len() as u64);
    let output = Message::default()
        .text(1, interface.output)
        .integer(2, TYPE_FP32)
        .integer(3, interface.width as u64);
    let config = Message::default()
        .text(1, interface.model)
        .text(2, PLATFORM)
        .integer(4, rows_max as u64)
        .message(5, &input)
        .message(6, &output)
        .message(14, &parameter(interface, 1));
    Message::default().message(1, &config).into_bytes()
}

/// An entry of a map of parameters, whose text stands in field `text`.
fn parameter(interface: &Interface<'_>, text: u32) -> Message {
    let value = Message::default().text(text, interface.digest);
    Message::default().text(1, MODEL_DIGEST).message(2, &value)
}

/// `ModelStatisticsResponse`: nothing is counted, see [`crate::protocol::metadata`].
pub(in crate::protocol) fn stats(interface: &Interface<'_>) -> Vec<u8> {
    let zero = Message::default();
    let durations = (1..=6).fold(Message::default(), |all, field| all.message(field, &zero));
    let stats = Message::default()
        .text(1, interface.model)
        .text(2, interface.version)
        .message(6, &durations);
    Message::default().message(1, &stats).into_bytes()
}

/// Triton's `DataType`.
const TYPE_FP32: u64 = 11;
