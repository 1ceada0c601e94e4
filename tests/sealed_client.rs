//! The sealing client and the command line against a real gateway and a real worker.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::path::{Path, PathBuf};

use sealgate_client::{Checked, ClientError, Demands, Kem, KeysRefusal, Kind, SealedClient, Trust};
use sealgate_keys::Base64;
use serde_json::Value;
use support::{Demo, sealgate, shared, stdout};

const MODEL: &str = "breast-cancer";

fn key(text: &str) -> [u8; 32] {
    Base64::decode(text).unwrap().0.try_into().unwrap()
}

fn demands(demo: &Demo) -> Demands {
    let trust = Trust {
        accept: vec![Kind::Software],
        software_keys: vec![key(demo.fact("evidence_pin"))],
        evidence_age_max_s: 300,
        ..Trust::default()
    };
    Demands::new(trust).with_gateway_receipt_key(key(demo.fact("gateway_receipt_key")))
}

fn client(demo: &Demo, token: &str, demands: Demands) -> SealedClient {
    let ca = std::fs::read(demo.fact("ca")).unwrap();
    SealedClient::new(demo.fact("url"), &ca, token, demands).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn what_a_client_seals_is_answered_as_what_the_gateway_seals() {
    let demo = shared();
    let plain = demo.https().post("/v2/models/breast-cancer/infer", &demo.token(), &demo.example());
    for kem in Kem::ALL {
        let client = client(&demo, &demo.token(), demands(&demo).with_kem(kem));
        let answer = runtime().block_on(client.infer_v2(MODEL, demo.example(), Some(1)));
        let answer = answer.unwrap_or_else(|error| panic!("{error:?}"));
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said, plain.json(), "{kem:?}");
        assert_eq!((answer.input, answer.output), (Checked::Held, Checked::Held));
    }
}

#[test]
fn a_client_that_pins_another_operator_or_another_model_seals_nothing() {
    let demo = shared();
    let other = demands(&demo).with_model_digest([1; 32]);
    let stranger = Demands::new(Trust {
        accept: vec![Kind::Software],
        software_keys: vec![[1; 32]],
        evidence_age_max_s: 300,
        ..Trust::default()
    });
    for (demands, code) in [(other, "model_digest"), (stranger, "key_not_pinned")] {
        let client = client(&demo, &demo.token(), demands);
        match runtime().block_on(client.infer_v2(MODEL, demo.example(), None)) {
            Err(ClientError::Keys(refusal)) => assert_eq!(KeysRefusal::code(&refusal), code),
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("{code}: answered"),
        }
    }
}

#[test]
fn a_refusal_by_the_worker_comes_sealed_with_its_receipt() {
    let demo = shared();
    let client = client(&demo, &demo.token(), demands(&demo));
    let refused = runtime().block_on(client.infer_v2(MODEL, b"{}".to_vec(), Some(1)));
    let Err(ClientError::WorkerRefused(refused)) = refused else { panic!("no refusal") };
    assert_eq!(refused.refusal.code.as_deref(), Some("input_missing"));
    assert_eq!(refused.receipt.code, "input_missing");
}

#[test]
fn a_refusal_by_the_gateway_comes_with_a_receipt_under_the_pinned_key() {
    let demo = shared();
    let claims = demo.allowed_claims(&["group"]);
    let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
    let client = client(&demo, &demo.token_for(&claims), demands(&demo));
    let refused = runtime().block_on(client.infer_v2(MODEL, demo.example(), None));
    let Err(ClientError::Refused(refusal)) = refused else { panic!("no refusal") };
    assert_eq!(refusal.code.as_deref(), Some("forbidden"));
    assert!(refusal.receipt.is_some());
}

/// `sealgate infer --sealed` with a receipt in a folder of the test's own.
fn sealed_receipt(demo: &Demo, dir: &Path, more: &[&str]) -> PathBuf {
    let file = dir.join("receipt.json");
    let infer = ["infer", "--sealed", "--state", demo.state_text()];
    let input = ["--input", demo.fact("example"), "--receipt", file.to_str().unwrap()];
    let printed = stdout(&sealgate(&[&infer[..], &input, more].concat()));
    assert!(printed.contains("probability of"), "{printed}");
    file
}

#[test]
fn a_receipt_of_the_command_line_is_verified_and_replayed_offline() {
    let demo = shared();
    let dir = tempfile::tempdir().unwrap();
    let pin = demo.fact("evidence_pin");
    let trust = ["--accept", "software", "--pin", pin];
    for more in [&[][..], &trust, &["--kem", "x25519"], &["--binary"]] {
        let file = sealed_receipt(&demo, dir.path(), more);
        let file = file.to_str().unwrap();
        let said = stdout(&sealgate(&[&["receipt", "verify", file][..], &trust].concat()));
        assert!(said.contains("the operator's key that signed the evidence is pinned"), "{said}");
        let models = demo.state().join("models");
        let replay = ["receipt", "replay", file, "--model", models.to_str().unwrap()];
        let input = ["--input", demo.fact("example")];
        let said = stdout(&sealgate(&[&replay[..], &input].concat()));
        assert!(said.contains("it commits to the answer that this model gives"), "{said}");
    }
}

#[test]
fn a_receipt_is_verified_by_the_gateways_archive() {
    let demo = shared();
    let dir = tempfile::tempdir().unwrap();
    let file = sealed_receipt(&demo, dir.path(), &[]);
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let line = kept["receipt"].as_str().unwrap();
    let receipt: Value = serde_json::from_str(line).unwrap();
    let digest = receipt["receipt"]["keyset_digest"].as_str().unwrap();
    let archived = format!("{}-keysets/{digest}.json", demo.fact("audit"));
    std::fs::write(&file, line).unwrap();
    let verify = ["receipt", "verify", file.to_str().unwrap(), "--keyset", &archived];
    let trust = ["--accept", "software", "--pin", demo.fact("evidence_pin")];
    let said = stdout(&sealgate(&[&verify[..], &trust].concat()));
    for part in ["it names this keyset", "the evidence is for a client about to seal"] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

#[test]
fn the_keys_of_a_demo_are_told_in_words() {
    let demo = shared();
    let said = stdout(&sealgate(&["keys", "--state", demo.state_text()]));
    for part in [
        "evidence       software",
        "seals with     X-Wing",
        "verified       the operator's key that signed the evidence is pinned",
        "verified       the key list is the keyset's",
        "self-asserted  the sandbox is enforced",
        "not verified   the model's digest",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

#[test]
fn without_evidence_it_is_said_that_nothing_protects_against_the_gateway() {
    let demo = shared();
    let output = sealgate(&["keys", "--state", demo.state_text(), "--unpinned"]);
    let said = stdout(&output);
    assert!(said.contains("not verified   evidence: whoever answers"), "{said}");
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(warned.contains("not protected against the gateway"), "{warned}");
}

#[test]
fn the_sealed_command_that_the_demo_prints_works_as_it_is_pasted() {
    let demo = shared();
    let log = demo.log();
    let command = log.lines().find(|line| line.contains(" infer --sealed ")).expect("a command");
    let output = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
    assert!(stdout(&output).contains("probability of"));
}
