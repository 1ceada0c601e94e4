//! Receipts without any server: the worker and the gateway that made them are gone.

use std::fs;
use std::path::PathBuf;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sealgate_keys::evidence::{Evidence, NoncePath, Purpose, report_data, software_message};
use sealgate_keys::ohttp::KeyList;
use sealgate_keys::receipt::{GatewayReceipt, Receipt, ReceiptKey, WorkerReceipt};
use sealgate_keys::{
    Base64, CommittedTensor, Direction, Head, Keyset, KeysetModel, ReleaseProfile, Secret, commit,
};
use serde_json::{Value, json};

use super::sealgate::{Ran, run, text};
use super::state::State;

/// Long ago, when the keys lived.
const THEN_S: u64 = 1_700_000_000;
const NONCE: [u8; 32] = [3; 32];
const KEY: [u8; 32] = [7; 32];

/// What is left of a worker: its model, and the receipt of one request.
struct Left {
    state: State,
    operator: Ed25519KeyPair,
    receipts: ReceiptKey,
    keyset: Keyset,
    receipt: WorkerReceipt,
}

impl Left {
    /// Of a request with the example's row.
    fn behind(profile: ReleaseProfile) -> Self {
        let state = State::prepared();
        let models = state.dir.join("models");
        let model = run(["model", "inspect", text(&models), "--json"]).json();
        let word = |name: &str| model[name].as_str().unwrap().to_owned();
        let (digest, schema_digest) = (word("digest"), word("schema_digest"));
        let example = state.dir.join("example.json");
        let ran = run(["model", "run", text(&models), "--input", text(&example), "--json"]).json();
        let mut score = [ran["outputs"][0][0].as_f64().unwrap() as f32];
        profile.cut(Head::Probability, 1, &mut score).unwrap();
        let request: Value = serde_json::from_str(&state.read("example.json")).unwrap();
        let row = request["inputs"][0]["data"].as_array().unwrap();
        let row: Vec<f32> = row.iter().map(|value| value.as_f64().unwrap() as f32).collect();

        let (operator, receipts) =
            (Ed25519KeyPair::generate().unwrap(), ReceiptKey::generate().unwrap());
        let keyset = Keyset {
            build: "sealgate-worker 0.1.0".into(),
            build_digest: "ab".repeat(32),
            engine: "flex".into(),
            key_list_digest: hex::encode(KeyList::digest(b"")),
            model: KeysetModel {
                digest: digest.clone(),
                name: "breast-cancer".into(),
                schema_digest: schema_digest.clone(),
                version: "1".into(),
            },
            not_after_s: THEN_S + 1200,
            receipt_key: Base64(receipts.public().to_vec()),
            replay: None,
            sandbox: vec![],
            sandbox_enforced: true,
            kind: Keyset::TYPE.into(),
        };
        let commitment = |direction, name, shape: [u64; 2], values: &[f32]| {
            let tensor = CommittedTensor { name, shape: &shape, values };
            Some(hex::encode(commit(&Secret::from_bytes(KEY), direction, &[tensor])))
        };
        let receipt = WorkerReceipt {
            code: "ok".into(),
            input_commitment: commitment(Direction::Input, "x", [1, 30], &row),
            keyset_digest: hex::encode(keyset.digest()),
            mode: "client-sealed".into(),
            model_digest: digest,
            output_commitment: commitment(Direction::Output, "probability", [1, 1], &score),
            policy_digest: "00".repeat(32),
            release_profile: profile.to_string(),
            request_id: "11".repeat(16),
            schema_digest,
            time_s: THEN_S + 600,
            kind: WorkerReceipt::TYPE.into(),
        };
        Self { state, operator, receipts, keyset, receipt }
    }

    fn pin(&self) -> String {
        Base64(self.operator.public_key().as_ref().to_vec()).encode()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.state.dir.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The keyset as the gateway archived it.
    fn archived(&self) -> Value {
        let root = NoncePath::alone().root(&NONCE).unwrap();
        let data = report_data(Purpose::Client, &self.keyset.digest(), &root);
        let signature = self.operator.sign(&software_message(&data, THEN_S));
        json!({
            "archived_at_s": THEN_S,
            "evidence": Evidence::Software {
                issued_at_s: THEN_S,
                key: Base64(self.operator.public_key().as_ref().to_vec()),
                signature: Base64(signature.as_ref().to_vec()),
            },
            "key_list": "",
            "keyset": self.keyset,
            "nonce": hex::encode(NONCE),
            "nonce_path": NoncePath::alone(),
            "verdict": {"kind": "software"},
        })
    }

    /// The file that `sealgate infer --receipt` wrote.
    fn kept(&self) -> PathBuf {
        let mut file = self.archived();
        file["receipt"] = json!(self.receipts.sign(&self.receipt).unwrap());
        file["commitment_key"] = json!(Base64(KEY.to_vec()));
        self.file("receipt.json", &file.to_string())
    }

    fn replay(&self, more: &[&str]) -> Ran {
        let (kept, models) = (self.kept(), self.state.dir.join("models"));
        let example = self.state.dir.join("example.json");
        let replay = ["receipt", "replay", text(&kept), "--model", text(&models)];
        let input = ["--input", text(&example)];
        let input = if more.contains(&"--input") { &[][..] } else { &input[..] };
        run(replay.iter().chain(input).chain(more))
    }
}

#[test]
fn a_receipt_is_judged_at_its_own_time_when_the_worker_is_gone() {
    let left = Left::behind(ReleaseProfile::Full);
    let kept = left.kept();
    let verify = ["receipt", "verify", text(&kept), "--accept", "software", "--pin", &left.pin()];
    let said = run(verify).well();
    for part in [
        "verified       it is signed by the keyset's receipt key",
        "verified       the operator's key that signed the evidence is pinned",
        "self-asserted  build sealgate-worker 0.1.0, engine flex",
        "not verified   which rows and scores it commits to",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

#[test]
fn without_a_pin_the_evidence_is_said_not_to_be_verified() {
    let left = Left::behind(ReleaseProfile::Full);
    let said = run(["receipt", "verify", text(&left.kept())]).well();
    assert!(said.contains("not verified   the keyset's evidence: "), "{said}");
}

#[test]
fn another_operators_pin_makes_it_wrong() {
    let left = Left::behind(ReleaseProfile::Full);
    let pin = Base64(vec![0; 32]).encode();
    let ran = run(["receipt", "verify", text(&left.kept()), "--accept", "software", "--pin", &pin]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("wrong          the evidence is refused: "), "{}", ran.out);
}

#[test]
fn a_line_is_verified_by_the_gateways_archive_or_by_a_key() {
    let left = Left::behind(ReleaseProfile::Full);
    let line = left.file("line", &left.receipts.sign(&left.receipt).unwrap());
    let archived = left.file("keyset.json", &left.archived().to_string());
    run(["receipt", "verify", text(&line), "--keyset", text(&archived)]).well();
    let key = Base64(left.receipts.public().to_vec()).encode();
    let said = run(["receipt", "verify", text(&line), "--key", &key]).well();
    assert!(said.contains("not verified   whose key that is"), "{said}");
    run(["receipt", "verify", text(&line)]).failed(64);
}

#[test]
fn a_changed_receipt_another_keyset_and_a_time_after_the_keys_are_wrong() {
    let mut left = Left::behind(ReleaseProfile::Full);
    let changed = fs::read_to_string(left.kept()).unwrap().replace("\\\"ok\\\"", "\\\"ko\\\"");
    let changed = left.file("changed.json", &changed);
    let wrong = |path: &PathBuf, part: &str| {
        let ran = run(["receipt", "verify", text(path)]);
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(part), "{}", ran.out);
    };
    wrong(&changed, "wrong          it is not signed by the keyset's receipt key");
    left.receipt.time_s = THEN_S + 1201;
    wrong(&left.kept(), "wrong          its time is after the keyset's end");
    left.keyset.build = "other".into();
    wrong(&left.kept(), "wrong          it names another keyset");
}

#[test]
fn a_gateways_receipt_needs_the_gateways_key() {
    let left = Left::behind(ReleaseProfile::Full);
    let receipt = GatewayReceipt {
        code: "forbidden".into(),
        policy_digest: "00".repeat(32),
        request_id: "11".repeat(16),
        status: 403,
        time_s: THEN_S,
        kind: GatewayReceipt::TYPE.into(),
    };
    let line = left.file("line", &left.receipts.sign(&receipt).unwrap());
    run(["receipt", "verify", text(&line)]).failed(64);
    let key = Base64(left.receipts.public().to_vec()).encode();
    let said = run(["receipt", "verify", text(&line), "--key", &key]).well();
    assert!(said.contains("refused with   403 forbidden"), "{said}");
    let other = Base64(vec![0; 32]).encode();
    assert_eq!(run(["receipt", "verify", text(&line), "--key", &other]).code, Some(1));
}

#[test]
fn what_is_no_receipt_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("receipt.json");
    fs::write(&file, "{}").unwrap();
    let said = run(["receipt", "verify", text(&file)]).failed(1);
    assert!(said.contains("is no receipt"), "{said}");
}

#[test]
fn a_replay_finds_the_committed_rows_and_the_committed_answer() {
    for profile in [ReleaseProfile::Full, ReleaseProfile::Rounded(2), ReleaseProfile::LabelOnly] {
        let said = Left::behind(profile).replay(&[]).well();
        for part in [
            "verified       it is of this model",
            "verified       it commits to these rows, 1 of them",
            &format!("the answer that this model gives, released as `{profile}`"),
            "not verified   that another build, engine or kind of processor",
        ] {
            assert!(said.contains(part), "`{part}` in {said}");
        }
    }
}

#[test]
fn other_rows_another_key_and_another_answer_are_found_to_be_others() {
    let mut left = Left::behind(ReleaseProfile::Full);
    let mut request: Value = serde_json::from_str(&left.state.read("example.json")).unwrap();
    request["inputs"][0]["data"][0] = json!(17.5);
    let other = left.file("other.json", &request.to_string());
    let wrong = |ran: Ran, part: &str| {
        assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains(part), "{}", ran.out);
    };
    wrong(left.replay(&["--input", text(&other)]), "wrong          it commits to other rows");
    let key = Base64(vec![8; 32]).encode();
    wrong(left.replay(&["--commitment-key", &key]), "wrong          it commits to other rows");
    // Released differently than the receipt says.
    left.receipt.release_profile = "label".into();
    wrong(left.replay(&[]), "wrong          it commits to another answer");
    left.receipt.model_digest = "00".repeat(32);
    wrong(left.replay(&[]), "wrong          it is of another model");
}

#[test]
fn a_receipt_of_a_refusal_has_nothing_to_replay() {
    let mut left = Left::behind(ReleaseProfile::Full);
    left.receipt.code = "no_rows".into();
    left.receipt.input_commitment = None;
    left.receipt.output_commitment = None;
    let ran = left.replay(&[]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("it commits to no answer: its outcome is `no_rows`"), "{}", ran.out);
}

#[test]
fn without_the_key_of_its_commitments_a_receipt_is_not_replayed() {
    let left = Left::behind(ReleaseProfile::Full);
    let line = left.file("line", &left.receipts.sign(&left.receipt).unwrap());
    let (models, example) = (left.state.dir.join("models"), left.state.dir.join("example.json"));
    let replay = ["receipt", "replay", text(&line), "--model", text(&models)];
    let said = run(replay.iter().chain(&["--input", text(&example)])).failed(64);
    assert!(said.contains("`--commitment-key KEY`"), "{said}");
}
