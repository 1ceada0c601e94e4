//! `POST /v2/models/M/infer`.
//!
//! ```json
//! {"id": "7", "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [61, 0.5]}],
//!  "outputs": [{"name": "probability"}]}
//! ```
//! `id`, `outputs` and `parameters` may be missing, members may stand in any order, `data` is flat or
//! nested, and unknown members are skipped. In place of `data` an input may have the parameter
//! `binary_data_size`: its numbers then stand behind the JSON, whose length a header field tells.

use super::assemble::Assembly;
use super::input::{Input, Inputs};
use super::interface::escaped_bytes;
use super::outputs::{Outputs, Wanted};
use super::parameters::Parameters;
use super::reader::Reader;
use super::{Decoded, Interface, Refusal, ReplyShape};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use std::fmt;

/// Reads a body of JSON alone.
#[cfg(test)]
pub(super) fn decode(
    body: &[u8],
    interface: &Interface<'_>,
    rows_max: usize,
) -> Result<Decoded, Refusal> {
    decode_parts(body, &[], interface, rows_max)
}

/// Reads JSON and the binary tensors behind it.
pub(super) fn decode_parts(
    json: &[u8],
    binary: &[u8],
    interface: &Interface<'_>,
    rows_max: usize,
) -> Result<Decoded, Refusal> {
    let mut reader = Reader::new(json, binary.len(), interface, rows_max);
    let mut parser = serde_json::Deserializer::from_slice(json);
    let outcome = Body(&mut reader)
        .deserialize(&mut parser)
        .and_then(|request| parser.end().map(|()| request));
    let Request { id, inputs, outputs, binary: all_binary } = reader.conclude(json, outcome)?;
    let numbers = &mut reader.numbers;
    let rows = Assembly { interface, rows_max, numbers }.rows(inputs, binary)?;
    Ok(Decoded { rows, reply: ReplyShape::V2 { id, outputs, binary: all_binary } })
}

/// Reads a body without any JSON: one tensor of 32-bit floats. Who asks so is answered so.
pub(super) fn decode_raw(
    body: &[u8],
    interface: &Interface<'_>,
    rows_max: usize,
) -> Result<Decoded, Refusal> {
    let mut reader = Reader::new(&[], body.len(), interface, rows_max);
    let rows = Assembly { interface, rows_max, numbers: &mut reader.numbers }.raw(body)?;
    let reply = ReplyShape::V2 { id: None, outputs: vec![Wanted::SCORES], binary: true };
    Ok(Decoded { rows, reply })
}

/// What a body holds beside the numbers.
struct Request {
    id: Option<String>,
    inputs: Vec<Input<'static>>,
    outputs: Vec<Wanted>,
    /// Whether outputs are wanted as bytes where they do not say so themselves.
    binary: bool,
}

struct Body<'r, 'a>(&'r mut Reader<'a>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum BodyMember {
    Id,
    Inputs,
    Outputs,
    Parameters,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for Body<'_, '_> {
    type Value = Request;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Request, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = Request;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an inference request")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Request, A::Error> {
        let reader = self.0;
        let mut request = Request { id: None, inputs: vec![], outputs: vec![], binary: false };
        let [mut id, mut inputs, mut outputs, mut parameters] = [false; 4];
        while let Some(member) = map.next_key()? {
            match member {
                BodyMember::Id => {
                    reader.enter(&mut id, "id")?;
                    let id = map.next_value::<Option<String>>()?;
                    let id = id.map(|id| id_bytes_checked(&id)).transpose();
                    request.id = reader.note(id)?;
                }
                BodyMember::Inputs => {
                    reader.enter(&mut inputs, "inputs")?;
                    request.inputs = map.next_value_seed(Inputs(&mut *reader))?;
                }
                BodyMember::Outputs => {
                    reader.enter(&mut outputs, "outputs")?;
                    request.outputs = map.next_value_seed(Outputs(&mut *reader))?;
                }
                BodyMember::Parameters => {
                    reader.enter(&mut parameters, "parameters")?;
                    let known = map.next_value_seed(Parameters(&mut *reader))?;
                    request.binary = known.binary_data_output.unwrap_or(false);
                }
                BodyMember::Unknown => map.next_value_seed(reader.skip())?,
            }
        }
        if request.outputs.is_empty() {
            request.outputs.push(Wanted::SCORES);
        }
        Ok(request)
    }
}

/// An id that is short enough to be echoed.
pub(super) fn id_bytes_checked(id: &str) -> Result<String, Refusal> {
    match escaped_bytes(id) <= ID_BYTES_MAX {
        true => Ok(id.to_owned()),
        false => Err(Refusal::IdTooLong { max: ID_BYTES_MAX }),
    }
}

/// Ids are echoed, and an answer with one must not be longer than others.
const ID_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::tests::{decoded, refused};
    use super::*;

    fn tensor(data: &str) -> String {
        input(&format!(r#""name":"x","shape":[2,2],"datatype":"FP32","data":{data}"#))
    }

    fn input(members: &str) -> String {
        format!(r#"{{"inputs":[{{{members}}}]}}"#)
    }

    fn values(body: &str) -> Vec<f32> {
        decoded(decode, body).rows.values().to_vec()
    }

    #[test]
    fn flat_and_nested_data_are_the_same_rows() {
        assert_eq!(values(&tensor("[1,2,3,4.5]")), values(&tensor("[[1,2],[3,4.5]]")));
    }

    #[test]
    fn the_rows_stand_in_their_order() {
        assert_eq!(values(&tensor("[[-1,2e1],[3,4.5]]")), [-1.0, 20.0, 3.0, 4.5]);
    }

    #[test]
    fn members_may_stand_in_any_order() {
        let turned = input(r#""data":[1,2],"datatype":"FP64","shape":[1,2],"name":"x""#);
        assert_eq!(values(&turned), [1.0, 2.0]);
    }

    #[test]
    fn parameters_and_unknown_members_are_tolerated() {
        let body = r#"{"parameters":{"a":{"b":[1,null,true,"s",-1,0.5]}},"later":[{}],"inputs":[
            {"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"c":1},"new":0,"data":[1,2]}],
            "outputs":[{"name":"probability","parameters":{"binary_data":true}}]}"#;
        assert_eq!(values(body), [1.0, 2.0]);
    }

    #[test]
    fn the_id_is_kept_for_the_answer() {
        let body =
            r#"{"id":"a\"b","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#;
        assert!(
            matches!(decoded(decode, body).reply, ReplyShape::V2 { id: Some(id), .. } if id == "a\"b")
        );
    }

    #[test]
    fn each_mistake_has_its_own_code() {
        let x = |rest: &str| input(&format!(r#""name":"x",{rest}"#));
        for (body, code) in [
            (String::new(), "body_not_json"),
            ("[]".to_owned(), "body_not_json"),
            (tensor("[1,2,3,4]") + "x", "body_not_json"),
            (format!("{{\"later\":{}{}}}", "[".repeat(17), "]".repeat(17)), "body_too_deep"),
            ("{}".to_owned(), "input_missing"),
            (r#"{"inputs":[]}"#.to_owned(), "input_missing"),
            (r#"{"inputs":[5]}"#.to_owned(), "member_invalid"),
            (r#"{"id":5}"#.to_owned(), "member_invalid"),
            (format!(r#"{{"id":"{}"}}"#, "i".repeat(257)), "id_too_long"),
            (r#"{"id":"1","id":"1"}"#.to_owned(), "member_repeated"),
            (r#"{"outputs":[{"name":"label"}]}"#.to_owned(), "output_unknown"),
            (r#"{"outputs":[{}]}"#.to_owned(), "member_missing"),
            (input(r#""name":"y""#), "input_unknown"),
            (input(r#""shape":[1,2],"datatype":"FP32","data":[1,2]"#), "member_missing"),
            (x(r#""shape":[1,2],"data":[1,2]"#), "member_missing"),
            (x(r#""datatype":"FP32","data":[1,2]"#), "member_missing"),
            (x(r#""shape":[1,2],"datatype":"FP32""#), "member_missing"),
            (x(r#""datatype":"BYTES""#), "datatype_unsupported"),
            (x(r#""shape":[-1,2]"#), "member_invalid"),
            (x(r#""shape":[2],"datatype":"FP32","data":[1,2]"#), "shape_mismatch"),
            (x(r#""shape":[1,3],"datatype":"FP32","data":[1,2,3]"#), "row_length"),
            (x(r#""shape":[0,2],"datatype":"FP32","data":[]"#), "no_rows"),
            (x(r#""shape":[5,2],"datatype":"FP32","data":[]"#), "too_many_rows"),
            (
                x(r#""shape":[18446744073709551615,2],"datatype":"FP32","data":[1]"#),
                "too_many_rows",
            ),
            (tensor("[1,2,3]"), "shape_mismatch"),
            (tensor("[[1,2]]"), "shape_mismatch"),
            (tensor("[1,[2]]"), "shape_mismatch"),
            (tensor("[[1,2],3]"), "shape_mismatch"),
            (tensor("[[1,[2]]]"), "shape_mismatch"),
            (tensor("[[1,2],[3]]"), "row_length"),
            (tensor("[[1,2],[3,4,5]]"), "row_length"),
            (tensor("[[1,2],[1,2],[1,2],[1,2],[1,2]]"), "too_many_rows"),
            (tensor("[1,\"2\",3,4]"), "not_a_number"),
            (tensor("[1,null,3,4]"), "not_a_number"),
            (tensor("[1,true,3,4]"), "not_a_number"),
            (tensor("[1,{},3,4]"), "not_a_number"),
            (tensor("[1,NaN,3,4]"), "not_finite"),
            (tensor("[1,-Infinity,3,4]"), "not_finite"),
            (tensor("[1,1e39,3,4]"), "not_finite"),
            (tensor("[1,-1e999,3,4]"), "not_finite"),
            (tensor("5"), "member_invalid"),
        ] {
            assert_eq!(refused(decode, &body).code(), code, "{body}");
        }
    }

    #[test]
    fn a_bad_number_is_named_by_row_and_feature() {
        for bad in ["NaN", "1e39", "1e999", "-Infinity"] {
            for data in [format!("[1,2,3,{bad}]"), format!("[[1,2],[3,{bad}]]")] {
                let sentence = refused(decode, &tensor(&data)).to_string();
                assert_eq!(sentence, "row 1, feature 1 (`dose`) is not a finite 32-bit number");
            }
        }
    }

    #[test]
    fn a_wrong_row_is_named_with_both_lengths() {
        let sentence = refused(decode, &tensor("[[1,2],[3]]")).to_string();
        assert_eq!(sentence, "row 1 has 1 numbers, the model takes 2");
    }

    #[test]
    fn a_second_input_is_refused() {
        let one = r#"{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}"#;
        let refusal = refused(decode, &format!(r#"{{"inputs":[{one},{one}]}}"#));
        assert_eq!(refusal.code(), "input_repeated");
    }
}
