//! The forms in which people's clients ask and read, on the whole path.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::grpc::{self, Called, framed};
use support::{Https, Reply, shared};

const MODEL: &str = "/v2/models/breast-cancer";
const V1: &str = "/v1/models/breast-cancer";

/// The example's row, as it is sent and as 32-bit floats.
fn row() -> Vec<f64> {
    let example: Value = serde_json::from_slice(&shared().example()).unwrap();
    let data = example["inputs"][0]["data"].as_array().unwrap();
    data.iter().map(|value| value.as_f64().unwrap()).collect()
}

fn le(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect()
}

/// What the plainest request is answered.
fn score() -> f64 {
    let path = format!("{MODEL}/infer");
    let reply = shared().https().post(&path, &shared().token(), &shared().example());
    reply.json()["outputs"][0]["data"][0].as_f64().unwrap()
}

fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let bearer = format!("Bearer {}", shared().token());
    let headers = [&[("Authorization", bearer.as_str())], headers].concat();
    shared().https().request("POST", path, &headers, body)
}

fn get(path: &str) -> Reply {
    shared().https().get(path, &shared().token())
}

/// Without a token, as liveness probes ask.
fn nobody(path: &str) -> Reply {
    let https: Https = shared().https();
    https.request("GET", path, &[], &[])
}

#[test]
fn what_tritonclient_sends_by_default_is_answered_in_binary() {
    let _held = shared();
    let json = json!({
        "inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP32",
                    "parameters": {"binary_data_size": 120}}],
        "outputs": [{"name": "probability", "parameters": {"binary_data": true}}],
        "parameters": {"binary_data_output": true},
    })
    .to_string();
    let length = json.len().to_string();
    let body = [json.as_bytes(), &le(&row())].concat();
    // No Content-Type: it sends none.
    let reply = post(
        &format!("{MODEL}/infer"),
        &[("Inference-Header-Content-Length", length.as_str())],
        &body,
    );
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
    let json_bytes = reply.header("inference-header-content-length").unwrap().parse().unwrap();
    let (json, tensor) = reply.body.split_at(json_bytes);
    let answer: Value = serde_json::from_slice(json).unwrap();
    assert_eq!(answer["outputs"][0]["parameters"]["binary_data_size"], 4);
    let found = f32::from_le_bytes(tensor.try_into().unwrap());
    assert_eq!(found.to_bits(), (score() as f32).to_bits());
}

#[test]
fn a_raw_row_is_scored_like_any_other() {
    let _held = shared();
    let path = format!("{MODEL}/infer");
    let reply = post(&path, &[("Inference-Header-Content-Length", "0")], &le(&row()));
    let json_bytes: usize =
        reply.header("inference-header-content-length").unwrap().parse().unwrap();
    let found = f32::from_le_bytes(reply.body[json_bytes..].try_into().unwrap());
    assert_eq!(found.to_bits(), (score() as f32).to_bits());
}

#[test]
fn columns_named_after_features_are_the_same_row() {
    let _held = shared();
    let csv = String::from_utf8(sealgate_model_builder::wdbc_csv().to_vec()).unwrap();
    let names = csv.lines().next().unwrap().split(',').skip(1);
    let columns: Vec<Value> = names
        .zip(row())
        .map(|(name, value)| {
            json!({"name": name, "shape": [1], "datatype": "FP64", "data": [value]})
        })
        .collect();
    let body = json!({"inputs": columns, "outputs": [{"name": "probability"}, {"name": "label"}]});
    let reply = post(&format!("{MODEL}/infer"), &[], body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.json());
    let outputs = reply.json()["outputs"].clone();
    assert_eq!(outputs[0]["data"][0].as_f64(), Some(score()));
    assert_eq!(outputs[1]["datatype"], "BYTES");
    assert!(outputs[1]["data"][0].is_string());
}

#[test]
fn v1_takes_rows_and_columns_and_says_that_the_model_is_ready() {
    let _held = shared();
    let predict = |body: Value| {
        let reply = post(&format!("{V1}:predict"), &[], body.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.json());
        reply.json()
    };
    let answer = json!([[score()]]);
    assert_eq!(predict(json!({"instances": [row()]}))["predictions"], answer);
    assert_eq!(predict(json!({"inputs": {"x": [row()]}}))["outputs"], answer);
    let versioned = format!("{V1}/versions/1:predict");
    let body = json!({"instances": [{"x": row()}]}).to_string();
    assert_eq!(post(&versioned, &[], body.as_bytes()).json()["predictions"], answer);

    let status = get(V1).json();
    assert_eq!((&status["name"], &status["ready"]), (&json!("breast-cancer"), &json!(true)));
    assert_eq!(get("/v1/models").json(), json!({"models": ["breast-cancer"]}));
    assert_eq!(nobody("/").json(), json!({"status": "alive"}));
}

#[test]
fn the_index_lists_what_the_caller_may_describe_and_nothing_else() {
    let _held = shared();
    let index = post("/v2/repository/index", &[], b"");
    let entry = json!({
        "name": "breast-cancer", "version": "1", "model_digest": digest(),
        "state": "READY", "reason": "",
    });
    assert_eq!(index.json(), json!([entry]));
    let claims = shared().allowed_claims(&["group"]);
    let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
    let stranger = shared().token_for(&claims);
    assert_eq!(shared().https().post("/v2/repository/index", &stranger, b"").json(), json!([]));
}

#[test]
fn a_model_is_described_as_triton_clients_ask() {
    let _held = shared();
    for path in [format!("{MODEL}/config"), format!("{MODEL}/versions/1/config")] {
        let config = get(&path).json();
        assert_eq!(config["name"], "breast-cancer");
        assert_eq!(config["input"][0]["dims"], json!([30]));
        assert!(config["max_batch_size"].as_u64().unwrap() > 0);
    }
    let stats = get(&format!("{MODEL}/stats")).json();
    assert_eq!(stats["model_stats"][0]["name"], "breast-cancer");
    // Nobody learns here how often others ask.
    assert_eq!(stats["model_stats"][0]["inference_count"], 0);
}

#[test]
fn whatever_is_refused_is_json_with_an_error_that_is_text() {
    let _held = shared();
    let infer = format!("{MODEL}/infer");
    let header = "Inference-Header-Content-Length";
    for (reply, status) in [
        (post(&infer, &[], b"nonsense"), 400),
        (post(&infer, &[(header, "99999")], b"{}"), 400),
        (post(&infer, &[("Content-Encoding", "gzip")], b"{}"), 400),
        (post(&infer, &[("Content-Encoding", "br")], b"{}"), 415),
        (post(&format!("{V1}:predict"), &[], b"{}"), 400),
        (post(&format!("{V1}:classify"), &[], b"{}"), 405),
        (post("/v1/models/no-such-model:predict", &[], b"{}"), 403),
        (get("/v2/models/no-such-model/config"), 403),
        (get("/v2/models/no-such-model/stats"), 403),
        (get("/v1/models/no-such-model"), 403),
        (get("/v2/models/breast-cancer/versions/9/config"), 404),
        (get("/v3"), 404),
        (nobody("/v1/models"), 401),
    ] {
        let body = reply.json();
        assert_eq!(reply.status, status, "{body}");
        assert!(body["error"].is_string(), "{body}");
    }
}

/// SHA-256 of the artifact that the demo serves.
fn digest() -> String {
    let artifact = shared().state().join("models/breast-cancer/1/model.safetensors");
    hex::encode(Sha256::digest(std::fs::read(artifact).unwrap()))
}

#[test]
fn metadata_configuration_and_index_name_the_artifact_that_answers() {
    let _held = shared();
    let digest = digest();
    assert_eq!(get(MODEL).json()["parameters"], json!({"model_digest": digest}));
    let config = get(&format!("{MODEL}/config")).json();
    assert_eq!(config["parameters"]["model_digest"]["string_value"], digest);
    let index = post("/v2/repository/index", &[], b"").json();
    assert_eq!((&index[0]["version"], &index[0]["model_digest"]), (&json!("1"), &json!(digest)));
    let about = grpc::names(NAME, "");
    let value = |text| grpc::field(2, &grpc::field(text, digest.as_bytes()));
    let parameter = |text| [grpc::field(1, b"model_digest"), value(text)].concat();
    assert_eq!(call("ModelMetadata", &about).fields(6), [parameter(3)]);
    let config = call("ModelConfig", &about);
    let parameter = grpc::field(14, &parameter(1));
    assert!(config.message.ends_with(&parameter), "{config:?}");
}

#[test]
fn statistics_without_a_name_are_about_the_models_that_the_caller_may_describe() {
    let _held = shared();
    let all = get("/v2/models/stats").json();
    assert_eq!(all, get(&format!("{MODEL}/stats")).json());
    let all = call("ModelStatistics", b"");
    assert_eq!(all.fields(1), call("ModelStatistics", &grpc::names(NAME, "1")).fields(1));

    let claims = shared().allowed_claims(&["group"]);
    let nobody = shared().token_for(&claims.iter().map(String::as_str).collect::<Vec<_>>());
    let none = shared().https().get("/v2/models/stats", &nobody);
    assert_eq!((none.status, none.json()), (200, json!({"model_stats": []})));
    let none = grpc::call(&shared().https(), "ModelStatistics", Some(&nobody), b"");
    assert_eq!((none.status, none.message.len()), (0, 0));
    // Of one model it is the policy's word, as of one that is not there.
    let refused = shared().https().get(&format!("{MODEL}/stats"), &nobody);
    assert_eq!(refused.code(), "forbidden");
}

#[test]
fn the_openapi_document_is_served_to_everybody() {
    let _held = shared();
    let reply = nobody("/openapi.json");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!(reply.json()["openapi"], "3.1.0");
}

const NAME: &str = "breast-cancer";

fn call(method: &str, message: &[u8]) -> Called {
    grpc::call(&shared().https(), method, Some(&shared().token()), message)
}

#[test]
fn grpc_scores_a_row_to_the_same_bits_and_gives_a_receipt() {
    let _held = shared();
    for version in ["", "1"] {
        let message = grpc::infer(NAME, version, [1, 30], &le(&row()));
        let called = call("ModelInfer", &[message, grpc::field(3, b"7")].concat());
        assert_eq!(called.status, 0, "{called:?}");
        let [model, version, id, scores] = [1, 2, 3, 6].map(|number| called.fields(number));
        assert_eq!((model, version, id), (vec![NAME.as_bytes()], vec![&b"1"[..]], vec![&b"7"[..]]));
        assert_eq!(scores, [(score() as f32).to_le_bytes()]);
        assert!(called.has_receipt);
    }
}

#[test]
fn grpc_describes_server_and_model() {
    let _held = shared();
    assert_eq!(grpc::call(&shared().https(), "ServerLive", None, b"").message, [8, 1]);
    assert_eq!(grpc::call(&shared().https(), "ServerReady", None, b"").message, [8, 1]);
    assert_eq!(call("ServerMetadata", b"").fields(1), [b"sealgate"]);
    let index = call("RepositoryIndex", b"");
    let [entry] = index.fields(1)[..] else { panic!("{index:?}") };
    for word in [NAME, "READY"] {
        assert!(entry.windows(word.len()).any(|window| window == word.as_bytes()));
    }
    let about = grpc::names(NAME, "");
    assert_eq!(call("ModelReady", &about).message, [8, 1]);
    assert_eq!(call("ModelMetadata", &about).fields(1), [NAME.as_bytes()]);
    for method in ["ModelConfig", "ModelStatistics"] {
        assert!(!call(method, &about).fields(1).is_empty(), "{method}");
    }
}

#[test]
fn grpc_has_a_status_and_a_sentence_for_each_refusal() {
    let _held = shared();
    let https = shared().https();
    let good = grpc::infer(NAME, "", [1, 30], &le(&row()));
    let mut nan = row();
    nan[3] = f64::NAN;
    let infer = |message: &[u8]| call("ModelInfer", message);
    let frames =
        |frames: &[u8]| grpc::call_framed(&https, "ModelInfer", Some(&shared().token()), frames);
    let whole = framed(&good);
    let compressed = [&[1], &whole[1..]].concat();
    for (called, status) in [
        (grpc::call(&https, "ModelInfer", None, &good), 16),
        (infer(&grpc::infer("no-such-model", "", [1, 30], &le(&row()))), 7),
        (infer(&grpc::infer(NAME, "9", [1, 30], &le(&row()))), 5),
        (infer(&grpc::infer(NAME, "", [1, 30], &le(&nan))), 3),
        (infer(&[good.clone(), grpc::field(1, b"other")].concat()), 3),
        (infer(&good[..good.len() - 1]), 3),
        (infer(b""), 3),
        (frames(&whole[..whole.len() - 1]), 3),
        (frames(&[&whole[..], &whole].concat()), 3),
        (frames(&compressed), 12),
        (call("ModelStreamInfer", &good), 12),
    ] {
        assert_eq!(called.status, status, "{called:?}");
        assert!(!called.sentence.is_empty() && called.message.is_empty(), "{called:?}");
    }
}
