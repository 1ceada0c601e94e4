//! Scores, said the way they were asked for.

use sealgate_keys::grpc::MEDIA_TYPE;
use serde::{Serialize, Serializer};

use super::interface::LABEL;
use super::outputs::{Wanted, Which};
use super::{Interface, Refusal, grpc};

/// The form of the answer: decided by the form of the request, used once.
pub enum ReplyShape {
    /// A response of the Open Inference Protocol.
    V2 {
        /// Echoed from the request.
        id: Option<String>,
        /// What is wanted, in this order.
        outputs: Vec<Wanted>,
        /// As bytes behind the JSON, where an output does not say otherwise.
        binary: bool,
    },
    /// `{"result": p}`
    One,
    /// `{"result": [p, ..]}`
    Many,
    /// `{"predictions": [[p], ..]}`: V1 by rows.
    Predictions,
    /// `{"outputs": [[p], ..]}`: V1 by columns.
    Outputs,
    /// A `ModelInferResponse`.
    Grpc {
        /// Echoed from the request.
        id: Option<String>,
        /// What is wanted, in this order.
        outputs: Vec<Wanted>,
    },
}

/// A body and what has to be said about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its media type.
    pub content_type: &'static str,
    /// `Inference-Header-Content-Length`: how much of it is JSON, where binary tensors follow.
    pub json_bytes: Option<usize>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer of JSON alone.
    #[must_use]
    pub const fn json(body: Vec<u8>) -> Self {
        Self { content_type: JSON, json_bytes: None, body }
    }

    /// One message of gRPC, without its frame.
    #[must_use]
    pub const fn grpc(body: Vec<u8>) -> Self {
        Self { content_type: MEDIA_TYPE, json_bytes: None, body }
    }
}

/// Writes the scores, [`Interface::width`] for each row; in JSON in the shortest form that reads back
/// as the same 32-bit number.
///
/// # Errors
/// [`Refusal::AnswerNotFinite`], because JSON cannot say NaN; [`Refusal::AnswerNotWritten`] if there
/// are not as many scores as were asked for.
pub fn encode_answer(
    reply: &ReplyShape,
    interface: &Interface<'_>,
    scores: &[f32],
) -> Result<Answer, Refusal> {
    let width = interface.width.max(1);
    if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
        return Err(Refusal::AnswerNotFinite { row: at / width });
    }
    if !scores.len().is_multiple_of(width) {
        return Err(Refusal::AnswerNotWritten);
    }
    let written = match reply {
        ReplyShape::V2 { id, outputs, binary } => {
            return v2(interface, id.as_deref(), outputs, *binary, scores);
        }
        ReplyShape::One if scores.len() != width => return Err(Refusal::AnswerNotWritten),
        ReplyShape::One => match scores {
            [score] => serde_json::to_vec(&Invocation { result: score }),
            row => serde_json::to_vec(&Invocation { result: row }),
        },
        ReplyShape::Many if width == 1 => serde_json::to_vec(&Invocation { result: scores }),
        ReplyShape::Many => serde_json::to_vec(&Invocation { result: Rows { scores, width } }),
        ReplyShape::Predictions => {
            serde_json::to_vec(&Predicted { predictions: Rows { scores, width } })
        }
        ReplyShape::Outputs => serde_json::to_vec(&Columns { outputs: Rows { scores, width } }),
        ReplyShape::Grpc { id, outputs } => {
            let body = grpc::predictions(interface, id.as_deref(), outputs, scores)?;
            return Ok(Answer::grpc(body));
        }
    };
    written.map(Answer::json).map_err(|_| Refusal::AnswerNotWritten)
}

fn v2(
    interface: &Interface<'_>,
    id: Option<&str>,
    wanted: &[Wanted],
    all_binary: bool,
    scores: &[f32],
) -> Result<Answer, Refusal> {
    let width = interface.width.max(1);
    let rows = scores.len() / width;
    let mut binary = Vec::new();
    let mut outputs = Vec::with_capacity(wanted.len());
    for Wanted { output, binary: own } in wanted {
        let before = binary.len();
        let is_binary = own.unwrap_or(all_binary);
        let (name, shape, datatype, data) = match output {
            Which::Scores if is_binary => {
                binary.extend(scores.iter().flat_map(|score| score.to_le_bytes()));
                (interface.output, vec![rows, width], "FP32", None)
            }
            Which::Scores => {
                (interface.output, vec![rows, width], "FP32", Some(Data::Numbers(scores)))
            }
            Which::Label => {
                let data = if is_binary {
                    binary.append(&mut label_bytes(interface, scores)?);
                    None
                } else {
                    Some(Data::Texts(labels(interface, scores)?))
                };
                (LABEL, vec![rows, 1], "BYTES", data)
            }
        };
        let parameters = data.is_none().then(|| Size { binary_data_size: binary.len() - before });
        outputs.push(Output { name, shape, datatype, parameters, data });
    }
    let is_binary = outputs.iter().any(|output| output.data.is_none());
    let written = serde_json::to_vec(&V2 {
        model_name: interface.model,
        model_version: interface.version,
        id,
        outputs,
    });
    let mut body = written.map_err(|_| Refusal::AnswerNotWritten)?;
    if !is_binary {
        return Ok(Answer::json(body));
    }
    let json_bytes = Some(body.len());
    body.append(&mut binary);
    Ok(Answer { content_type: BINARY, json_bytes, body })
}

fn labels<'a>(interface: &Interface<'a>, scores: &[f32]) -> Result<Vec<&'a str>, Refusal> {
    let rows = scores.chunks(interface.width.max(1));
    let labels: Option<_> = rows.map(|row| interface.class_of(row)).collect();
    labels.ok_or(Refusal::AnswerNotWritten)
}

/// The class of each row as `BYTES` has texts: its length, then itself.
pub(super) fn label_bytes(interface: &Interface<'_>, scores: &[f32]) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    for label in labels(interface, scores)? {
        bytes.extend_from_slice(&u32::try_from(label.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(label.as_bytes());
    }
    Ok(bytes)
}

const JSON: &str = "application/json";
const BINARY: &str = "application/octet-stream";

#[derive(Serialize)]
struct V2<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Output<'a>>,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    shape: Vec<usize>,
    datatype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Numbers(&'a [f32]),
    Texts(Vec<&'a str>),
}

#[derive(Serialize)]
struct Size {
    binary_data_size: usize,
}

#[derive(Serialize)]
struct Predicted<'a> {
    predictions: Rows<'a>,
}

#[derive(Serialize)]
struct Columns<'a> {
    outputs: Rows<'a>,
}

#[derive(Serialize)]
struct Invocation<T> {
    result: T,
}

/// Scores as a list of rows.
struct Rows<'a> {
    scores: &'a [f32],
    width: usize,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, json: S) -> Result<S::Ok, S::Error> {
        json.collect_seq(self.scores.chunks(self.width.max(1)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::tests::interface;
    use super::*;
    use proptest::prelude::*;

    const WIDE: [&str; 3] = ["benign", "malignant", "unknown"];

    fn said(reply: &ReplyShape, scores: &[f32]) -> String {
        let answer = encode_answer(reply, &interface(&[]), scores).unwrap();
        assert_eq!((answer.content_type, answer.json_bytes), (JSON, None));
        String::from_utf8(answer.body).unwrap()
    }

    /// What a model with three classes says.
    fn wide(reply: &ReplyShape, scores: &[f32]) -> Answer {
        let classes = WIDE.map(str::to_owned);
        let interface = Interface { width: 3, classes: &classes, ..interface(&[]) };
        encode_answer(reply, &interface, scores).unwrap()
    }

    fn v2(outputs: &[(Which, Option<bool>)], binary: bool) -> ReplyShape {
        let outputs = outputs.iter().map(|&(output, binary)| Wanted { output, binary });
        ReplyShape::V2 { id: None, outputs: outputs.collect(), binary }
    }

    #[test]
    fn a_v2_answer_has_the_protocols_form() {
        let id = Some("7".to_owned());
        let reply = ReplyShape::V2 { id, outputs: vec![Wanted::SCORES], binary: false };
        assert_eq!(
            said(&reply, &[0.25, 0.1]),
            concat!(
                r#"{"model_name":"triage","model_version":"3","id":"7","outputs":[{"name":"#,
                r#""probability","shape":[2,1],"datatype":"FP32","data":[0.25,0.1]}]}"#
            )
        );
    }

    #[test]
    fn no_id_in_means_no_id_out() {
        assert!(!said(&v2(&[(Which::Scores, None)], false), &[0.5]).contains("\"id\""));
    }

    #[test]
    fn a_binary_answer_is_json_and_little_endian_numbers_behind_it() {
        let answer = wide(&v2(&[(Which::Scores, None)], true), &[0.25, 0.5, 0.25]);
        let json = concat!(
            r#"{"model_name":"triage","model_version":"3","outputs":[{"name":"probability","#,
            r#""shape":[1,3],"datatype":"FP32","parameters":{"binary_data_size":12}}]}"#
        );
        let numbers: Vec<u8> = [0.25f32, 0.5, 0.25].iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(answer.body, [json.as_bytes(), &numbers].concat());
        assert_eq!((answer.content_type, answer.json_bytes), (BINARY, Some(json.len())));
    }

    #[test]
    fn an_output_says_for_itself_whether_it_is_binary() {
        let reply = v2(&[(Which::Scores, Some(false)), (Which::Label, None)], true);
        let answer = wide(&reply, &[0.25, 0.5, 0.25]);
        let (json, binary) = answer.body.split_at(answer.json_bytes.unwrap());
        let said: serde_json::Value = serde_json::from_slice(json).unwrap();
        assert_eq!(said["outputs"][0]["data"], serde_json::json!([0.25, 0.5, 0.25]));
        assert_eq!(said["outputs"][1]["parameters"]["binary_data_size"], 13);
        assert_eq!(binary, b"\x09\0\0\0malignant");
    }

    #[test]
    fn a_label_is_the_class_that_the_scores_speak_for() {
        let reply = v2(&[(Which::Label, None)], false);
        let answer = wide(&reply, &[0.2, 0.2, 0.6, 0.4, 0.4, 0.2]).body;
        let said: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(said["outputs"][0]["data"], serde_json::json!(["unknown", "benign"]));
        let classes = ["benign".to_owned(), "malignant".to_owned()];
        let interface = Interface { classes: &classes, ..interface(&[]) };
        for (score, class) in [(0.49, "benign"), (0.5, "malignant")] {
            assert_eq!(interface.class_of(&[score]), Some(class));
        }
    }

    #[test]
    fn scores_of_several_classes_are_a_list_for_each_row() {
        let scores = [0.25, 0.5, 0.25, 1.0, 0.0, 0.0];
        let said = |reply, scores: &[f32]| String::from_utf8(wide(&reply, scores).body).unwrap();
        assert_eq!(said(ReplyShape::One, &scores[..3]), r#"{"result":[0.25,0.5,0.25]}"#);
        let rows = "[[0.25,0.5,0.25],[1.0,0.0,0.0]]}";
        assert_eq!(said(ReplyShape::Many, &scores), format!("{{\"result\":{rows}"));
        assert_eq!(said(ReplyShape::Predictions, &scores), format!("{{\"predictions\":{rows}"));
        assert_eq!(said(ReplyShape::Outputs, &scores), format!("{{\"outputs\":{rows}"));
    }

    #[test]
    fn one_row_has_a_bare_result_and_a_list_has_a_list() {
        assert_eq!(said(&ReplyShape::One, &[0.5]), r#"{"result":0.5}"#);
        assert_eq!(said(&ReplyShape::Many, &[0.5]), r#"{"result":[0.5]}"#);
    }

    #[test]
    fn a_score_that_is_not_finite_is_never_written_as_null() {
        let refusal = encode_answer(&ReplyShape::Many, &interface(&[]), &[0.5, f32::NAN]);
        assert_eq!(refusal, Err(Refusal::AnswerNotFinite { row: 1 }));
    }

    #[test]
    fn a_single_answer_needs_a_single_score() {
        let refusal = encode_answer(&ReplyShape::One, &interface(&[]), &[]);
        assert_eq!(refusal, Err(Refusal::AnswerNotWritten));
    }

    proptest! {
        #[test]
        fn every_score_reads_back_as_itself(score in any::<f32>().prop_filter("finite", |x| x.is_finite())) {
            let text = said(&ReplyShape::One, &[score]);
            let number = text.trim_start_matches("{\"result\":").trim_end_matches('}');
            prop_assert_eq!(number.parse::<f32>().unwrap().to_bits(), score.to_bits());
        }
    }
}
