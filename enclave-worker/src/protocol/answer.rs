//! Scores, said the way they were asked for.

use super::{Interface, Refusal};
use serde::Serialize;

/// The form of the answer: decided by the form of the request, used once.
pub enum ReplyShape {
    /// A response of the Open Inference Protocol.
    V2 {
        /// Echoed from the request.
        id: Option<String>,
    },
    /// `{"result": p}`
    One,
    /// `{"result": [p, ..]}`
    Many,
}

/// Writes the scores, one for each row, in the shortest form that reads back as the same 32-bit
/// number.
///
/// # Errors
/// [`Refusal::AnswerNotFinite`], because JSON cannot say NaN; [`Refusal::AnswerNotWritten`] if there
/// is not one score for each row that was asked about.
pub fn encode_answer(
    reply: &ReplyShape,
    interface: &Interface<'_>,
    scores: &[f32],
) -> Result<Vec<u8>, Refusal> {
    if let Some(row) = scores.iter().position(|score| !score.is_finite()) {
        return Err(Refusal::AnswerNotFinite { row });
    }
    let written = match (reply, scores) {
        (ReplyShape::V2 { id }, _) => serde_json::to_vec(&V2 {
            model_name: interface.model,
            model_version: interface.version,
            id: id.as_deref(),
            outputs: [Output {
                name: interface.output,
                shape: [scores.len(), 1],
                datatype: "FP32",
                data: scores,
            }],
        }),
        (ReplyShape::Many, _) => serde_json::to_vec(&Invocation { result: scores }),
        (ReplyShape::One, [score]) => serde_json::to_vec(&Invocation { result: score }),
        (ReplyShape::One, _) => return Err(Refusal::AnswerNotWritten),
    };
    written.map_err(|_| Refusal::AnswerNotWritten)
}

#[derive(Serialize)]
struct V2<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: [Output<'a>; 1],
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    shape: [usize; 2],
    datatype: &'a str,
    data: &'a [f32],
}

#[derive(Serialize)]
struct Invocation<T> {
    result: T,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::tests::interface;
    use super::*;
    use proptest::prelude::*;

    fn said(reply: &ReplyShape, scores: &[f32]) -> String {
        String::from_utf8(encode_answer(reply, &interface(&[]), scores).unwrap()).unwrap()
    }

    #[test]
    fn a_v2_answer_has_the_protocols_form() {
        let reply = ReplyShape::V2 { id: Some("7".to_owned()) };
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
        assert!(!said(&ReplyShape::V2 { id: None }, &[0.5]).contains("\"id\""));
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
