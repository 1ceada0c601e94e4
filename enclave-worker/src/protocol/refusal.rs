//! Everything that can be wrong with a request, said so that it helps and repeats nothing.
//!
//! | code | status | when |
//! |---|---|---|
//! | `message_malformed` | 400 | what was sealed is not one padded binary HTTP request |
//! | `nested` | 400 | what was sealed holds another sealed message |
//! | `date` | 400 | `date` inside is too far from the worker's clock, or missing where there must be one |
//! | `replayed` | 409 | a function was sent this before |
//! | `replays_unknown` | 503 | a function cannot tell whether it was |
//! | `model_pinned` | 412 | `if-match` inside names another model than this one |
//! | `field_undeclared` | 403 | the model needs a field that the grant does not declare |
//! | `release_unsuited` | 403 | the release profile cannot cut what the model answers |
//! | `route_unknown` | 404 | no such path |
//! | `model_unknown`, `version_unknown` | 404 | the path inside names another than the grant |
//! | `method_not_allowed` | 405 | the path takes another method |
//! | `encoding_unsupported`, `binary_unsupported` | 415 | another compression than gzip and zlib; binary tensors outside V2 |
//! | `encoding_broken` | 400 | the body does not unpack |
//! | `header_length`, `binary_size` | 400 | binary tensors: the length of the JSON, or of one of them |
//! | `contents_mismatch` | 400 | a message's tensor is not where its datatype belongs |
//! | `instances_or_inputs` | 400 | V1: both, or neither |
//! | `parameter_unsupported` | 400 | a parameter that asks for what there is not |
//! | `body_not_json`, `body_not_protobuf`, `body_too_deep` | 400 | the body cannot be read |
//! | `member_missing`, `member_invalid`, `member_repeated`, `id_too_long` | 400 | a member of it |
//! | `input_missing`, `input_unknown`, `input_repeated` | 400 | an input's name |
//! | `output_unknown`, `output_repeated` | 400 | an output's name |
//! | `datatype_unsupported` | 400 | no numeric datatype of the protocol |
//! | `shape_mismatch`, `row_length`, `no_rows` | 400 | shape and data |
//! | `not_a_number`, `not_finite`, `not_exact`, `not_of_datatype` | 400 | one number |
//! | `too_many_rows`, `body_too_large` | 413 | more than reserved; more than may be unpacked |
//! | `inference_failed`, `answer_not_finite`, `answer_not_written` | 500 | our fault |
//!
//! All of what a client can mend in the body is 400, none of it 422: clients of the protocol know
//! the first.

use serde::Serialize;
use std::fmt;

/// Why there is no score. Holds counts, positions and the model's own names, never a value or a text
/// of the client's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the sentence of each variant is its documentation")]
pub enum Refusal {
    #[error("no resource has this path")]
    RouteUnknown,
    #[error("this path takes `{allowed}` only")]
    MethodNotAllowed { allowed: &'static str },
    #[error("the path names another model than the one granted")]
    ModelUnknown,
    #[error("the path names another version than the one granted")]
    VersionUnknown,
    #[error("`content-encoding` must be `gzip`, `deflate` or `identity`, once")]
    EncodingUnsupported,
    #[error("the body is not what its `content-encoding` says, or is cut")]
    EncodingBroken,
    #[error("the body unpacks to more than {max} bytes")]
    BodyTooLarge { max: usize },
    #[error("binary tensors belong to `/v2/models/../infer`; send json here")]
    BinaryUnsupported,
    #[error("`inference-header-content-length` must be one number, at most the body's length")]
    HeaderLength,
    #[error("the binary tensor `{input}` must hold {needed} bytes, as its shape and datatype say")]
    BinarySize { input: String, needed: usize },
    #[error("the raw body must hold 32-bit floats in rows of {features}")]
    BinaryRows { features: usize },
    #[error("there are bytes behind the last binary tensor")]
    BinaryRest,
    #[error("`{input}` has both `data` and `binary_data_size`")]
    BinaryAndData { input: String },
    #[error("the parameter `{parameter}` is not supported")]
    ParameterUnsupported { parameter: &'static str },
    #[error("the body is not json: line {line}, column {column}")]
    BodyNotJson { line: usize, column: usize },
    #[error("the body must be a json object")]
    BodyNotObject,
    #[error("the message is not the protobuf that its method takes")]
    BodyNotProtobuf,
    #[error("`{datatype}` belongs into `raw_input_contents`, or into the contents of its own name")]
    ContentsUnlike { datatype: &'static str },
    #[error("`raw_input_contents` must hold one entry for each input, and no input others")]
    ContentsRaw,
    #[error("the body must have either `instances` or `inputs`")]
    InstancesOrInputs,
    #[error("the body is nested deeper than {max} levels")]
    BodyTooDeep { max: usize },
    #[error("the member `{member}` is missing")]
    MemberMissing { member: &'static str },
    #[error("the member `{member}` has the wrong type: line {line}, column {column}")]
    MemberInvalid { member: String, line: usize, column: usize },
    #[error("the member `{member}` stands twice")]
    MemberRepeated { member: String },
    #[error("`id` is longer than {max} bytes")]
    IdTooLong { max: usize },
    #[error("the input `{input}` is missing")]
    InputMissing { input: String },
    #[error(
        "the model takes one input, named `{input}`, or one for each of its features; another was sent"
    )]
    InputUnknown { input: String },
    #[error("the input `{input}` stands twice, or beside others that hold it")]
    InputRepeated { input: String },
    #[error("the model gives an output named `{output}`; another was asked for")]
    OutputUnknown { output: String },
    #[error("the output `{output}` is asked for twice")]
    OutputRepeated { output: String },
    #[error(
        "the datatype must be a number's: `BOOL`, `INT8` to `INT64`, `UINT8` to `UINT64`, `FP16`, \
         `BF16`, `FP32` or `FP64`"
    )]
    DatatypeUnsupported,
    #[error("the shape must be [rows, {features}]")]
    ShapeForm { features: usize },
    #[error("the shape of `{feature}` must be [rows] or [rows, 1]")]
    ShapeColumn { feature: String },
    #[error("`{feature}` has {found} rows, others have {rows}")]
    ColumnRows { feature: String, rows: usize, found: usize },
    // The width that was sent is not told: it may be a value in the wrong place.
    #[error("the shape promises rows of another length than the {features} that the model takes")]
    ShapeWidth { features: usize },
    #[error("the shape promises {rows} rows of {features}, but `data` holds {found} numbers")]
    ShapeNumbers { rows: usize, features: usize, found: usize },
    #[error("the shape promises {rows} rows, but `data` holds {found}")]
    ShapeRows { rows: usize, found: usize },
    #[error("the data must be either a list of numbers or a list of rows, not both")]
    ShapeMixed,
    #[error("the data is nested deeper than rows of numbers, at row {row}")]
    ShapeDeep { row: usize },
    #[error("row {row} has {found} numbers, the model takes {features}")]
    RowLength { row: usize, found: usize, features: usize },
    #[error("there is no row")]
    NoRows,
    #[error("there are more rows than the {max} that this request may hold")]
    TooManyRows { max: usize },
    #[error("{place} is not a number")]
    NotANumber { place: Place },
    #[error("{place} is not a finite 32-bit number")]
    NotFinite { place: Place },
    #[error("{place} is an integer that a 32-bit float cannot hold exactly")]
    NotExact { place: Place },
    #[error("{place} is not a value of the datatype")]
    NotOfDatatype { place: Place },
    #[error("not a finite number: line {line}, column {column}")]
    LiteralNotFinite { line: usize, column: usize },
    #[error("the model gave no finite score for row {row}")]
    AnswerNotFinite { row: usize },
    #[error("the answer could not be written")]
    AnswerNotWritten,
    #[error("what was sealed holds another sealed message")]
    Nested,
    #[error("the model that answers here is not the one that `if-match` names")]
    ModelPinned,
    #[error("`date` must be within {seconds} seconds of the worker's clock")]
    DateFar { seconds: u64 },
    #[error("what is sealed for a function must hold `date`")]
    DateMissing,
    #[error("this was opened before: seal it anew")]
    Replayed,
    #[error("whether this was opened before cannot be told now: seal it anew, later")]
    ReplaysUnknown,
    #[error("what was sealed is not one padded binary HTTP request")]
    MessageMalformed,
    #[error("the model needs `{field}`, which the policy does not let you send")]
    FieldUndeclared { field: String },
    #[error("the release profile `{profile}` does not fit what this model answers")]
    ReleaseUnsuited { profile: String },
    #[error("a value is too large for the model to compute with")]
    ValueTooLarge,
    #[error("the model could not compute an answer for these rows")]
    InferenceFailed,
}

impl Refusal {
    /// The stable word for programs and records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RouteUnknown => "route_unknown",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::ModelUnknown => "model_unknown",
            Self::VersionUnknown => "version_unknown",
            Self::EncodingUnsupported => "encoding_unsupported",
            Self::EncodingBroken => "encoding_broken",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::HeaderLength => "header_length",
            Self::BinarySize { .. }
            | Self::BinaryRows { .. }
            | Self::BinaryRest
            | Self::BinaryAndData { .. } => "binary_size",
            Self::ParameterUnsupported { .. } => "parameter_unsupported",
            Self::BinaryUnsupported => "binary_unsupported",
            Self::BodyNotJson { .. } | Self::BodyNotObject => "body_not_json",
            Self::BodyNotProtobuf => "body_not_protobuf",
            Self::ContentsUnlike { .. } | Self::ContentsRaw => "contents_mismatch",
            Self::InstancesOrInputs => "instances_or_inputs",
            Self::BodyTooDeep { .. } => "body_too_deep",
            Self::MemberMissing { .. } => "member_missing",
            Self::MemberInvalid { .. } => "member_invalid",
            Self::MemberRepeated { .. } => "member_repeated",
            Self::IdTooLong { .. } => "id_too_long",
            Self::InputMissing { .. } => "input_missing",
            Self::InputUnknown { .. } => "input_unknown",
            Self::InputRepeated { .. } => "input_repeated",
            Self::OutputUnknown { .. } => "output_unknown",
            Self::OutputRepeated { .. } => "output_repeated",
            Self::DatatypeUnsupported => "datatype_unsupported",
            Self::ShapeForm { .. }
            | Self::ShapeColumn { .. }
            | Self::ColumnRows { .. }
            | Self::ShapeNumbers { .. }
            | Self::ShapeRows { .. }
            | Self::ShapeMixed
            | Self::ShapeDeep { .. } => "shape_mismatch",
            Self::RowLength { .. } | Self::ShapeWidth { .. } => "row_length",
            Self::NoRows => "no_rows",
            Self::TooManyRows { .. } => "too_many_rows",
            Self::NotANumber { .. } => "not_a_number",
            Self::NotFinite { .. } | Self::LiteralNotFinite { .. } | Self::ValueTooLarge => {
                "not_finite"
            }
            Self::NotExact { .. } => "not_exact",
            Self::NotOfDatatype { .. } => "not_of_datatype",
            Self::AnswerNotFinite { .. } => "answer_not_finite",
            Self::AnswerNotWritten => "answer_not_written",
            Self::Nested => "nested",
            Self::ModelPinned => "model_pinned",
            Self::DateFar { .. } | Self::DateMissing => "date",
            Self::Replayed => "replayed",
            Self::ReplaysUnknown => "replays_unknown",
            Self::MessageMalformed => "message_malformed",
            Self::FieldUndeclared { .. } => "field_undeclared",
            Self::ReleaseUnsuited { .. } => "release_unsuited",
            Self::InferenceFailed => "inference_failed",
        }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::RouteUnknown | Self::ModelUnknown | Self::VersionUnknown => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::Replayed => 409,
            Self::ModelPinned => 412,
            Self::TooManyRows { .. } | Self::BodyTooLarge { .. } => 413,
            Self::EncodingUnsupported | Self::BinaryUnsupported => 415,
            Self::FieldUndeclared { .. } | Self::ReleaseUnsuited { .. } => 403,
            Self::AnswerNotFinite { .. } | Self::AnswerNotWritten | Self::InferenceFailed => 500,
            Self::ReplaysUnknown => 503,
            _ => 400,
        }
    }

    /// The body of the answer: RFC 9457, with the `error` that clients of the Open Inference
    /// Protocol look for.
    #[must_use]
    pub fn to_json(&self, request_id: &str) -> Vec<u8> {
        let sentence = self.to_string();
        let problem = Problem {
            error: &sentence,
            kind: self.kind(),
            title: self.title(),
            status: self.status(),
            code: self.code(),
            request_id,
        };
        // Strings and a number cannot fail to serialise; if they did, the status still tells.
        serde_json::to_vec(&problem).unwrap_or_else(|_| br#"{"error":"refused"}"#.to_vec())
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::DateFar { .. } | Self::DateMissing => sealgate_keys::ohttp::DATE_PROBLEM,
            _ => KIND,
        }
    }

    /// RFC 9457 asks for the status phrase where the type is `about:blank`.
    const fn title(&self) -> &'static str {
        match self.status() {
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            409 => "Conflict",
            412 => "Precondition Failed",
            413 => "Content Too Large",
            415 => "Unsupported Media Type",
            500 => "Internal Server Error",
            503 => "Service Unavailable",
            _ => "Bad Request",
        }
    }
}

#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    code: &'a str,
    request_id: &'a str,
}

/// No page describes a kind of problem further than its `code` does.
const KIND: &str = "about:blank";

/// Where a number stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The row, counted from 0.
    pub row: usize,
    /// The position in the row, counted from 0.
    pub feature: usize,
    /// The model's name for the position, if it has one so far right.
    pub name: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "row {}, feature {}", self.row, self.feature)?;
        match &self.name {
            Some(name) => write!(out, " (`{name}`)"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_body_is_a_problem_with_the_protocols_error_member() {
        let place = Place { row: 2, feature: 1, name: Some("dose".to_owned()) };
        let body = Refusal::NotFinite { place }.to_json("r-1");
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({
                "error": "row 2, feature 1 (`dose`) is not a finite 32-bit number",
                "type": "about:blank",
                "title": "Bad Request",
                "status": 400,
                "code": "not_finite",
                "request_id": "r-1",
            })
        );
    }

    #[test]
    fn a_strange_request_id_cannot_break_the_json() {
        let body = Refusal::NoRows.to_json("a\"b\\c\u{1}");
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["request_id"], "a\"b\\c\u{1}");
    }
}
