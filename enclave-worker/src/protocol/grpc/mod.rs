//! Messages of `inference.GRPCInferenceService`, without their frames: those are the gateway's.
//!
//! The numbers of the fields are those of the service's published description. Unknown fields are
//! skipped, as protobuf asks.

mod answer;
mod contents;
mod write;

pub(super) use answer::{config, metadata, predictions, ready, stats};

use sealgate_keys::KeyError;
use sealgate_keys::grpc::{Fields, Value};

use super::assemble::Assembly;
use super::datatype::Datatype;
use super::infer::id_bytes_checked;
use super::input::{Input, Seen, Source};
use super::numbers::{Columns, Numbers};
use super::outputs::Wanted;
use super::{Decoded, Interface, Refusal, ReplyShape};

/// Reads a `ModelInferRequest`; its names have been compared.
pub(super) fn decode(
    message: &[u8],
    interface: &Interface<'_>,
    rows_max: usize,
) -> Result<Decoded, Refusal> {
    let mut numbers = Numbers::new(interface.features, rows_max, message.len());
    let mut request = Request::default();
    let mut seen = Seen::default();
    for field in Fields(message) {
        match field.map_err(malformed)? {
            (3, value) => {
                request.id = Some(id_bytes_checked(value.text().map_err(malformed)?)?);
            }
            (5, value) => {
                let at = request.inputs.len();
                let tensor = value.bytes().map_err(malformed)?;
                let input = input(tensor, at, interface, &mut numbers)?;
                seen.once(input.columns, interface)?;
                request.inputs.push(input);
            }
            (6, value) => {
                output(value.bytes().map_err(malformed)?, interface)?
                    .add(&mut request.outputs, interface)?;
            }
            (7, value) => {
                if request.raw.len() >= interface.features.len().max(1) {
                    return Err(Refusal::ContentsRaw);
                }
                request.raw.push(value.bytes().map_err(malformed)?);
            }
            _ => {}
        }
    }
    let Request { id, inputs, mut outputs, raw } = request;
    let inputs = with_raw(inputs, &raw)?;
    if outputs.is_empty() {
        outputs.push(Wanted::SCORES);
    }
    let rows = Assembly { interface, rows_max, numbers: &mut numbers }.rows(inputs, &[])?;
    let id = id.filter(|id| !id.is_empty());
    Ok(Decoded { rows, reply: ReplyShape::Grpc { id, outputs } })
}

#[derive(Default)]
struct Request<'b> {
    id: Option<String>,
    inputs: Vec<Input<'b>>,
    outputs: Vec<Wanted>,
    raw: Vec<&'b [u8]>,
}

/// Either all numbers are raw, an entry for each input in their order, or none.
fn with_raw<'b>(mut inputs: Vec<Input<'b>>, raw: &[&'b [u8]]) -> Result<Vec<Input<'b>>, Refusal> {
    let has_contents = |input: &Input<'_>| matches!(input.numbers, Source::Read(_));
    if raw.is_empty() {
        return match inputs.iter().all(has_contents) {
            true => Ok(inputs),
            false => Err(Refusal::MemberMissing { member: "contents" }),
        };
    }
    if inputs.len() != raw.len() || inputs.iter().any(has_contents) {
        return Err(Refusal::ContentsRaw);
    }
    for (input, bytes) in inputs.iter_mut().zip(raw) {
        input.numbers = Source::Bytes(bytes);
    }
    Ok(inputs)
}

/// One `InferInputTensor`, the `at`th.
fn input<'b>(
    tensor: &'b [u8],
    at: usize,
    interface: &Interface<'_>,
    numbers: &mut Numbers<'_>,
) -> Result<Input<'b>, Refusal> {
    let (mut name, mut datatype, mut contents) = (None, None, None);
    let mut shape = Vec::new();
    for field in Fields(tensor) {
        match field.map_err(malformed)? {
            (1, value) => once(&mut name, value.text().map_err(malformed)?, "name")?,
            (2, value) => once(&mut datatype, value.text().map_err(malformed)?, "datatype")?,
            (3, Value::Varint(dimension)) => shape.push(dimension),
            (3, value) => {
                let mut packed = Fields(value.bytes().map_err(malformed)?);
                while !packed.0.is_empty() {
                    shape.push(packed.varint().map_err(malformed)?);
                    bounded(&shape)?;
                }
            }
            (4, value) => parameter(value)?,
            (5, value) => once(&mut contents, value.bytes().map_err(malformed)?, "contents")?,
            _ => {}
        }
        bounded(&shape)?;
    }
    let missing = |member| Refusal::MemberMissing { member };
    let columns = Columns::named(name.ok_or(missing("name"))?, at, interface)?;
    let datatype = datatype.ok_or(missing("datatype"))?;
    let datatype = Datatype::parse(datatype).ok_or(Refusal::DatatypeUnsupported)?;
    let numbers = match contents.filter(|contents| !contents.is_empty()) {
        // Taken from `raw_input_contents` later, or missed there.
        None => Source::Bytes(&[]),
        Some(contents) => {
            numbers.begin(Some(columns));
            numbers.enter();
            contents::read(contents, datatype, numbers)?;
            numbers.leave();
            Source::Read(numbers.found())
        }
    };
    Ok(Input { columns, shape, datatype, numbers })
}

/// A tensor here has two dimensions at most.
fn bounded(shape: &[u64]) -> Result<(), Refusal> {
    if shape.len() <= DIMENSIONS_MAX { Ok(()) } else { Err(Refusal::BodyNotProtobuf) }
}

const DIMENSIONS_MAX: usize = 8;

/// One `InferRequestedOutputTensor`.
fn output(message: &[u8], interface: &Interface<'_>) -> Result<Wanted, Refusal> {
    let mut name = None;
    for field in Fields(message) {
        match field.map_err(malformed)? {
            (1, value) => once(&mut name, value.text().map_err(malformed)?, "name")?,
            (2, value) => parameter(value)?,
            _ => {}
        }
    }
    Wanted::named(name.ok_or(Refusal::MemberMissing { member: "name" })?, interface)
}

/// An entry of the map of parameters: only those matter that ask for what there is not.
fn parameter(entry: Value<'_>) -> Result<(), Refusal> {
    for field in Fields(entry.bytes().map_err(malformed)?) {
        let (1, key) = field.map_err(malformed)? else { continue };
        let unsupported = UNSUPPORTED.iter().find(|name| key == Value::Bytes(name.as_bytes()));
        if let Some(parameter) = unsupported {
            return Err(Refusal::ParameterUnsupported { parameter });
        }
    }
    Ok(())
}

const UNSUPPORTED: [&str; 2] = ["classification", "shared_memory_region"];

/// Of two values of a field two readers may believe different ones.
fn once<'b, T>(place: &mut Option<&'b T>, value: &'b T, member: &str) -> Result<(), Refusal>
where
    T: ?Sized,
{
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Refusal::MemberRepeated { member: member.to_owned() }),
    }
}

fn malformed(_: KeyError) -> Refusal {
    Refusal::BodyNotProtobuf
}

#[cfg(test)]
mod tests;
