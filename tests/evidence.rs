//! A gateway that demands evidence gives its model to no worker that shows none it accepts.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sealgate_keys::Base64;
use serde_json::{Value, json};
use support::{Demo, Gateway, Stopped, binary};

const INFER: &str = "/v2/models/breast-cancer/infer";

#[test]
fn a_worker_with_the_pinned_operators_key_serves_and_the_record_says_so() {
    let demo = Demo::start();
    assert_eq!(demo.https().post(INFER, &demo.token(), &demo.example()).status, 200);
    let stopped = demo.stop();
    let started: Vec<Value> =
        stopped.records().into_iter().filter(|record| record["type"] == "worker_started").collect();
    let kinds: Vec<&str> =
        started.iter().map(|record| record["event"]["evidence"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["software"]);
}

#[test]
fn the_record_of_a_request_leads_to_the_file_and_the_worker_that_answered() {
    let demo = Demo::start();
    assert_eq!(demo.https().post(INFER, &demo.token(), &demo.example()).status, 200);
    let stopped = demo.stop();
    let of = |kind: &str| {
        let records = stopped.records().into_iter().filter(|record| record["type"] == kind);
        records.collect::<Vec<_>>().pop().unwrap()["event"].clone()
    };
    let [decision, outcome] = ["decision", "outcome"].map(of);
    let [worker, keys] = ["worker_started", "keys_offered"].map(of);
    assert_eq!(decision["request_id"], outcome["request_id"]);
    for event in [&decision, &outcome] {
        assert_eq!(event["model_digest"], worker["model_digest"], "{event}");
    }
    assert_eq!(outcome["keyset_digest"], keys["keyset_digest"]);
    assert_eq!(keys["worker"], worker["keyset_digest"]);
}

#[test]
fn a_worker_vouched_for_by_another_key_gets_no_session() {
    let stopped = Demo::start().stop();
    let pin = stopped.fact("evidence_pin").to_owned();
    let other = Ed25519KeyPair::generate().unwrap();
    stopped.change("gateway.toml", |config| {
        assert!(config.contains(&pin));
        config.replace(&pin, &public(&other))
    });
    assert_refused(&stopped, "not pinned");
}

#[test]
fn a_worker_without_evidence_gets_no_session_where_some_is_demanded() {
    let stopped = Demo::start().stop();
    stopped.change("worker.toml", |config| {
        config.split_once("[evidence]").expect("evidence").0.to_owned()
    });
    assert_refused(&stopped, "no evidence");
}

fn public(key: &Ed25519KeyPair) -> String {
    Base64(key.public_key().as_ref().to_vec()).encode()
}

#[test]
fn a_gateway_that_has_gone_by_newer_measurements_takes_no_older_ones() {
    let stopped = Demo::start().stop();
    let key = Ed25519KeyPair::generate().unwrap();
    let file = stopped.state.path().join("measurements.toml");
    let sign = |version: u32| {
        let text = format!(
            "version = {version}\nissued_at_s = 1\nexpires_at_s = 9999999999\n\
             [[workers]]\nid = \"local\"\nkind = \"software\"\nbuild = \"sealgate-worker 0.1.0\"\n"
        );
        let signature =
            sealgate_attestation::sign(&text, key.to_pkcs8().unwrap().as_ref()).unwrap();
        std::fs::write(&file, text).unwrap();
        std::fs::write(file.with_extension("toml.sig"), Base64(signature.to_vec()).encode())
            .unwrap();
    };
    stopped.change("gateway.toml", |config| {
        let (file, key) = (file.to_str().unwrap(), public(&key));
        config.replace(
            "[attestation]\n",
            &format!("[attestation]\nmeasurements = {file:?}\nmeasurements_key = {key:?}\n"),
        )
    });
    sign(2);
    Gateway::start(&stopped).stop();
    sign(1);
    let mut older = Command::new(binary("sealgate-gateway"))
        .arg("--config")
        .arg(stopped.state.path().join("gateway.toml"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while older.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    older.kill().unwrap();
    let older = older.wait_with_output().unwrap();
    assert_eq!(older.status.code(), Some(78), "it serves");
    let words = String::from_utf8_lossy(&older.stderr).into_owned();
    assert!(words.contains("version 1") && words.contains("version 2"), "{words}");
    sign(2);
    Gateway::start(&stopped).stop();
}

/// Starts the gateway and waits for the first word about its worker, which must be a refusal.
fn assert_refused(stopped: &Stopped, why: &str) {
    let mut child = Command::new(binary("sealgate-gateway"))
        .arg("--config")
        .arg(stopped.state.path().join("gateway.toml"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .find(|event| !event["event"].as_str().unwrap().ends_with("listening"));
    child.kill().unwrap();
    child.wait().unwrap();
    let told = told.expect("a word about the worker");
    assert_eq!(told["event"], "worker_failed", "{told}");
    let words = told.to_string();
    assert!(words.contains("evidence is refused") && words.contains(why), "{words}");
    // It was on record before it was told.
    let records = stopped.records().into_iter();
    let refused: Vec<Value> = records.filter(|record| record["type"] == "worker_refused").collect();
    let [refused] = &refused[..] else { panic!("one such record: {refused:?}") };
    let event = &refused["event"];
    assert!(event["why"].as_str().unwrap().contains(why), "{event}");
    let said = (&event["model"], &event["what"], &event["count"]);
    assert_eq!(said, (&json!("breast-cancer"), &json!("start"), &json!(1)));
}
