//! The main job, end to end: real processes, real TLS, a real model on real data.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::{sealgate, shared, stdout, wait_until};

fn rows() -> Vec<Vec<f64>> {
    let mut rows = all_rows();
    rows.truncate(40);
    rows
}

fn all_rows() -> Vec<Vec<f64>> {
    let csv = String::from_utf8(sealgate_model_builder::wdbc_csv().to_vec()).unwrap();
    let row = |line: &str| line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
    csv.lines().skip(1).map(row).collect()
}

fn v2(rows: &[Vec<f64>]) -> Vec<u8> {
    let data: Vec<f64> = rows.concat();
    json!({"id": "7", "inputs": [{"name": "x", "shape": [rows.len(), 30], "datatype": "FP32", "data": data}]})
        .to_string()
        .into_bytes()
}

/// The reference: the same artifact, without any server.
fn reference(rows: &[Vec<f64>]) -> Vec<f64> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!(rows).to_string()).unwrap();
    let models = shared().state().join("models");
    let output = sealgate(&[
        "model",
        "run",
        models.to_str().unwrap(),
        "--input",
        file.path().to_str().unwrap(),
        "--json",
    ]);
    let outputs: Value = serde_json::from_str(&stdout(&output)).unwrap();
    numbers(outputs["outputs"].as_array().unwrap().iter().map(|row| &row[0]))
}

fn numbers<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<f64> {
    values.into_iter().map(|value| value.as_f64().expect("a number")).collect()
}

#[test]
fn the_demos_example_is_answered_with_a_probability_and_a_request_id() {
    let _held = shared();
    let reply = shared().https().post(
        "/v2/models/breast-cancer/infer",
        &shared().token(),
        &shared().example(),
    );
    assert_eq!(reply.status, 200, "{}", reply.json());
    let probability = reply.json()["outputs"][0]["data"][0].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&probability));
    assert_eq!(reply.header("sealgate-request-id").unwrap().len(), 32);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[test]
fn the_command_that_the_demo_prints_works_as_it_stands() {
    let _held = shared();
    // The words about the record stand below it, so that the line is whole once they are there.
    wait_until("the demo says what to try", Duration::from_secs(20), || {
        shared().log().contains(" audit verify ")
    });
    let log = shared().log();
    let command = log.lines().find(|line| line.starts_with("curl ")).expect("a command");
    let output = Command::new("sh")
        .args(["-c", command])
        // What this machine uses to reach the Internet is no part of it.
        .env("no_proxy", "*")
        .output()
        .expect("a shell");
    let printed = stdout(&output);
    for part in [" 200", "sealgate-request-id", "probability"] {
        assert!(printed.contains(part), "`{part}` in {printed}");
    }
}

#[test]
fn forty_rows_come_back_bit_for_bit_as_the_model_alone_scores_them() {
    let _held = shared();
    let rows = rows();
    let reply =
        shared().https().post("/v2/models/breast-cancer/infer", &shared().token(), &v2(&rows));
    assert_eq!(reply.status, 200, "{}", reply.json());
    let answer = reply.json();
    assert_eq!(answer["model_name"], "breast-cancer");
    assert_eq!(answer["id"], "7");
    let output = &answer["outputs"][0];
    assert_eq!(output["name"], "probability");
    assert_eq!(output["datatype"], "FP32");
    assert_eq!(output["shape"], json!([40, 1]));
    assert_eq!(numbers(output["data"].as_array().unwrap()), reference(&rows));
}

#[test]
fn nested_data_means_the_same_as_flat_data() {
    let _held = shared();
    let rows = rows();
    let nested =
        json!({"inputs": [{"name": "x", "shape": [2, 30], "datatype": "FP32", "data": rows[..2]}]});
    let reply = shared().https().post(
        "/v2/models/breast-cancer/versions/1/infer",
        &shared().token(),
        nested.to_string().as_bytes(),
    );
    let data = reply.json()["outputs"][0]["data"].clone();
    assert_eq!(numbers(data.as_array().unwrap()), reference(&rows[..2]));
}

#[test]
fn invocations_answer_one_row_with_a_number_and_many_with_a_list() {
    let _held = shared();
    let (https, token, rows) = (shared().https(), shared().token(), rows());
    let one = https.post("/invocations", &token, json!({"x": rows[0]}).to_string().as_bytes());
    assert_eq!(one.status, 200, "{}", one.json());
    assert_eq!(one.json()["result"].as_f64().unwrap(), reference(&rows[..1])[0]);
    let many = https.post("/invocations", &token, json!({"x": rows[..3]}).to_string().as_bytes());
    assert_eq!(numbers(many.json()["result"].as_array().unwrap()), reference(&rows[..3]));
}

#[test]
fn metadata_names_the_tensors_that_clients_must_send() {
    let _held = shared();
    let reply = shared().https().get("/v2/models/breast-cancer", &shared().token());
    assert_eq!(reply.status, 200);
    let model = reply.json();
    assert_eq!(model["inputs"], json!([{"name": "x", "datatype": "FP32", "shape": [-1, 30]}]));
    assert_eq!(
        model["outputs"],
        json!([{"name": "probability", "datatype": "FP32", "shape": [-1, 1]}])
    );
    assert_eq!(model["versions"], json!(["1"]));
    let ready = shared().https().get("/v2/models/breast-cancer/ready", &shared().token());
    assert_eq!((ready.status, ready.json()), (200, json!({"ready": true})));
}

#[test]
fn health_needs_no_token_and_everything_else_does() {
    let _held = shared();
    let https = shared().https();
    for (path, body) in [
        ("/", json!({"status": "alive"})),
        ("/livez", json!({"live": true})),
        ("/readyz", json!({"ready": true, "policy": "newest", "reasons": []})),
        ("/v2/health/live", json!({"live": true})),
        ("/v2/health/ready", json!({"ready": true})),
    ] {
        let reply = https.request("GET", path, &[], &[]);
        assert_eq!((reply.status, reply.json()), (200, body), "{path}");
    }
    for path in [
        "/v2",
        "/v2/models/breast-cancer",
        "/v2/models/no-such",
        "/v1/models",
        "/metrics",
        "/v2/models/x/ready",
    ] {
        let reply = https.request("GET", path, &[], &[]);
        assert_eq!((reply.status, reply.code()), (401, "token_missing".into()), "{path}");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{path}");
    }
}

#[test]
fn the_command_line_client_prints_what_the_gateway_answers() {
    let _held = shared();
    let file = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    std::fs::write(file.path(), sealgate_model_builder::wdbc_csv()).unwrap();
    let output = sealgate(&[
        "infer",
        "--state",
        shared().state_text(),
        "--input",
        file.path().to_str().unwrap(),
        "--json",
    ]);
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let scores = numbers(answer["outputs"][0]["data"].as_array().unwrap());
    // The engine may order its sums by the number of rows, so the reference has as many.
    assert_eq!(scores.len(), 569);
    assert_eq!(scores, reference(&all_rows()));
}

#[test]
fn rows_sent_as_a_tensor_get_the_scores_of_those_sent_as_text() {
    let demo = shared();
    let file = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    std::fs::write(file.path(), sealgate_model_builder::wdbc_csv()).unwrap();
    let table = |more: &[&str]| {
        let input = ["infer", "--state", demo.state_text(), "--input"];
        let all = [&input[..], &[file.path().to_str().unwrap()], more].concat();
        stdout(&sealgate(&all))
    };
    let text = table(&[]);
    assert_eq!(text.lines().count(), table(&["--binary"]).lines().count());
    assert_eq!(text, table(&["--binary"]));
    assert_eq!(text, table(&["--binary", "--sealed"]));
}

#[test]
fn the_record_of_each_answer_is_in_the_log_and_the_log_verifies_while_it_is_written() {
    let _held = shared();
    let reply = shared().https().post(
        "/v2/models/breast-cancer/infer",
        &shared().token(),
        &shared().example(),
    );
    let id = reply.header("sealgate-request-id").unwrap().to_owned();
    let of_request = |record: &Value| record["event"]["request_id"] == json!(id);
    let records = shared().records();
    let decision =
        records.iter().find(|r| r["type"] == "decision" && of_request(r)).expect("a decision");
    let event = &decision["event"];
    assert_eq!(event["verdict"], "allow");
    assert_eq!(event["model"], "breast-cancer");
    assert_eq!(event["policy_digest"].as_str().unwrap().len(), 64);
    assert!(!event["rules"].as_array().unwrap().is_empty(), "the deciding rules are named");
    let verified = shared().verify_audit();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
