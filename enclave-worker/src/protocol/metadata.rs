//! What the model says about itself. The bodies matter: clients of the protocols decode them.
//!
//! Nothing is counted here: how often a model is asked is its other callers' business, so the
//! statistics that Triton's clients ask for are all zero.

use serde::Serialize;
use serde_json::json;

use super::{Answer, Interface, Method, Question, Refusal, grpc};

/// The answer to a question without rows; a request may hold `rows_max` of them.
///
/// # Errors
/// [`Refusal::AnswerNotWritten`]; [`Refusal::RouteUnknown`] for a question with rows.
pub fn encode_description(
    question: Question,
    interface: &Interface<'_>,
    rows_max: usize,
) -> Result<Answer, Refusal> {
    let json = |body: serde_json::Value| serde_json::to_vec(&body).map(Answer::json);
    let written = match question {
        Question::Metadata => metadata(interface).map(Answer::json),
        Question::Config => json(config(interface, rows_max)),
        Question::Stats => json(stats(interface)),
        Question::Status => json(status(interface)),
        // A worker that answers has its model loaded.
        Question::Ready => json(json!({"ready": true})),
        Question::Grpc(Method::Metadata) => Ok(Answer::grpc(grpc::metadata(interface))),
        Question::Grpc(Method::Ready) => Ok(Answer::grpc(grpc::ready())),
        Question::Grpc(Method::Config) => Ok(Answer::grpc(grpc::config(interface, rows_max))),
        Question::Grpc(Method::Stats) => Ok(Answer::grpc(grpc::stats(interface))),
        Question::Infer
        | Question::Invocations
        | Question::Predict
        | Question::Grpc(Method::Infer) => return Err(Refusal::RouteUnknown),
    };
    written.map_err(|_| Refusal::AnswerNotWritten)
}

fn metadata(interface: &Interface<'_>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Metadata {
        name: interface.model,
        versions: [interface.version],
        platform: PLATFORM,
        inputs: [Tensor::of(interface.input, interface.features.len())],
        outputs: [Tensor::of(interface.output, interface.width)],
        parameters: Parameters { model_digest: interface.digest },
    })
}

/// Triton's model configuration, as far as it means something here.
fn config(interface: &Interface<'_>, rows_max: usize) -> serde_json::Value {
    let tensor =
        |name: &str, width: usize| json!({"name": name, "data_type": "TYPE_FP32", "dims": [width]});
    json!({
        "name": interface.model,
        "platform": PLATFORM,
        "max_batch_size": rows_max,
        "input": [tensor(interface.input, interface.features.len())],
        "output": [tensor(interface.output, interface.width)],
        "parameters": {MODEL_DIGEST: {"string_value": interface.digest}},
    })
}

fn stats(interface: &Interface<'_>) -> serde_json::Value {
    let none = json!({"count": 0, "ns": 0});
    json!({"model_stats": [{
        "name": interface.model,
        "version": interface.version,
        "last_inference": 0,
        "inference_count": 0,
        "execution_count": 0,
        "inference_stats": {
            "success": none,
            "fail": none,
            "queue": none,
            "compute_input": none,
            "compute_infer": none,
            "compute_output": none,
        },
        "batch_stats": [],
    }]})
}

/// As KServe's clients and those of TF-Serving each read it.
fn status(interface: &Interface<'_>) -> serde_json::Value {
    json!({
        "name": interface.model,
        "ready": true,
        "model_version_status": [{
            "version": interface.version,
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }],
    })
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
    versions: [&'a str; 1],
    platform: &'a str,
    inputs: [Tensor<'a>; 1],
    outputs: [Tensor<'a>; 1],
    parameters: Parameters<'a>,
}

/// What the protocol has no member for, as MLServer and Triton have it.
#[derive(Serialize)]
struct Parameters<'a> {
    model_digest: &'a str,
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

pub(super) const PLATFORM: &str = "sealgate";
/// The parameter that says which artifact answers, by the name that receipts and records have for it.
pub(super) const MODEL_DIGEST: &str = "model_digest";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::tests::{DIGEST, interface};
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_metadata_has_the_protocols_form() {
        let features = ["age".to_owned(), "dose".to_owned()];
        let answer = encode_description(Question::Metadata, &interface(&features), 32).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&answer.body).unwrap(),
            json!({
                "name": "triage",
                "versions": ["3"],
                "platform": "sealgate",
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
                "outputs": [{"name": "probability", "datatype": "FP32", "shape": [-1, 1]}],
                "parameters": {"model_digest": DIGEST},
            })
        );
    }

    #[test]
    fn every_description_names_the_model() {
        let features = ["age".to_owned()];
        let message = Question::Grpc;
        for question in [
            Question::Metadata,
            Question::Config,
            Question::Stats,
            Question::Status,
            message(Method::Metadata),
            message(Method::Config),
            message(Method::Stats),
        ] {
            let answer = encode_description(question, &interface(&features), 32).unwrap();
            let names = answer.body.windows(6).any(|window| window == b"triage");
            assert!(names, "{question:?}");
        }
    }

    #[test]
    fn metadata_and_configuration_say_which_artifact_answers() {
        let features = ["age".to_owned()];
        for question in [
            Question::Metadata,
            Question::Config,
            Question::Grpc(Method::Metadata),
            Question::Grpc(Method::Config),
        ] {
            let answer = encode_description(question, &interface(&features), 32).unwrap();
            let digest = answer.body.windows(64).any(|window| window == DIGEST.as_bytes());
            assert!(digest, "{question:?}");
        }
    }

    #[test]
    fn the_configuration_says_how_many_rows_a_request_may_hold() {
        let features = ["age".to_owned()];
        let answer = encode_description(Question::Config, &interface(&features), 32).unwrap();
        let config: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(config["max_batch_size"], 32);
        assert_eq!(config["input"][0]["dims"], json!([1]));
    }
}
