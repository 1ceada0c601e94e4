//! A gateway that demands evidence gives its model to no worker that shows none it accepts.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sealgate_keys::Base64;
use serde_json::Value;
use support::{Demo, Gateway, Stopped, binary};

const INFER: &str = "/v2/models/breast-cancer/infer";

#[test]
fn a_worker_with_the_pinned_operators_key_serves_and_the_record_says_so() {
    let demo = Demo::start();
    let (token, example) = (demo.token(), demo.example());
    let stopped = demo.stop();
    let pin = operator_key(&stopped);
    worker_shows_evidence(&stopped);
    gateway_demands(&stopped, &pin);

    let gateway = Gateway::start(&stopped);
    assert_eq!(gateway.https().post(INFER, &token, &example).status, 200);
    gateway.stop();
    let started: Vec<Value> =
        stopped.records().into_iter().filter(|record| record["type"] == "worker_started").collect();
    let kinds: Vec<&str> =
        started.iter().map(|record| record["event"]["evidence"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["none", "software"], "the demo's own start asked for none");
}

#[test]
fn a_worker_vouched_for_by_another_key_gets_no_session() {
    let stopped = Demo::start().stop();
    operator_key(&stopped);
    worker_shows_evidence(&stopped);
    let other = Ed25519KeyPair::generate().unwrap();
    gateway_demands(&stopped, &public(&other));
    assert_refused(&stopped, "not pinned");
}

#[test]
fn a_worker_without_evidence_gets_no_session_where_some_is_demanded() {
    let stopped = Demo::start().stop();
    let pin = operator_key(&stopped);
    gateway_demands(&stopped, &pin);
    assert_refused(&stopped, "no evidence");
}

/// Makes the operator's key in the state's folder; its public half is what gets pinned.
fn operator_key(stopped: &Stopped) -> String {
    let key = Ed25519KeyPair::generate().unwrap();
    let path = stopped.state.path().join("operator.pk8");
    std::fs::write(path, key.to_pkcs8().unwrap().as_ref()).unwrap();
    public(&key)
}

fn public(key: &Ed25519KeyPair) -> String {
    Base64(key.public_key().as_ref().to_vec()).encode()
}

fn worker_shows_evidence(stopped: &Stopped) {
    let key = stopped.state.path().join("operator.pk8");
    stopped.change("worker.toml", |config| {
        format!("{config}\n[evidence]\nkind = \"software\"\nkey = {key:?}\n")
    });
}

fn gateway_demands(stopped: &Stopped, pin: &str) {
    stopped.change("gateway.toml", |config| {
        format!("{config}\n[attestation]\naccept = [\"software\"]\nsoftware_keys = [\"{pin}\"]\n")
    });
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
        .find(|event| event["event"] != "listening");
    child.kill().unwrap();
    child.wait().unwrap();
    let told = told.expect("a word about the worker");
    assert_eq!(told["event"], "worker_failed", "{told}");
    let words = told.to_string();
    assert!(words.contains("evidence is refused") && words.contains(why), "{words}");
}
