//! The envelope against values that a second implementation computed (`tests/vectors/hop.py`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::control::{ToWorker, gateway_ends, worker_ends};
use crate::frame::{HEADER_BYTES, Header};
use crate::hop::{Identity, session_info};
use crate::request::seal_request;
use crate::schedule::expand;
use crate::{AnswerOpener, EpochKeys, Grant, Mode, Outcome, Secret, SessionSecret, labels};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/hop.json")).unwrap()
}

fn cases() -> (SessionSecret, Vec<Value>) {
    let vectors = vectors();
    let session = bytes(&vectors["session_secret"]).try_into().unwrap();
    (SessionSecret::from_bytes(session), vectors["cases"].as_array().unwrap().clone())
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn keys(session: &SessionSecret, case: &Value) -> EpochKeys {
    let mut keys = EpochKeys::first(session);
    while u64::from(keys.epoch()) < case["epoch"].as_u64().unwrap() {
        keys = keys.next().unwrap();
    }
    keys
}

fn dek(case: &Value) -> Secret {
    Secret::from_bytes(bytes(&case["dek"]).try_into().unwrap())
}

#[test]
fn requests_are_sealed_to_the_same_bytes() {
    let (session, cases) = cases();
    for case in &cases {
        let keys = keys(&session, case);
        let (id, grant) = (case["id"].as_u64().unwrap(), bytes(&case["grant"]));
        let mode = Grant::decode(&grant).unwrap().mode;
        let message = bytes(&case["message"]);
        let frame = seal_request(&keys, id, &dek(case), mode, &grant, &message).unwrap();
        assert_eq!(hex::encode(frame), case["request_frame"].as_str().unwrap());
    }
    assert_eq!(cases.len(), 4);
}

#[test]
fn grants_and_outcomes_are_encoded_to_the_same_bytes() {
    let (_, cases) = cases();
    for case in &cases {
        let grant = bytes(&case["grant"]);
        assert_eq!(Grant::decode(&grant).unwrap().encode(), grant);
        let outcome = bytes(&case["outcome"]);
        assert_eq!(Outcome::decode(&outcome).unwrap().encode(), outcome);
    }
}

#[test]
fn answers_open_to_the_same_message() {
    let (session, cases) = cases();
    for case in &cases {
        let keys = Arc::new(keys(&session, case));
        let opener = AnswerOpener::new(keys, case["id"].as_u64().unwrap(), dek(case));
        let frame = bytes(&case["answer_frame"]);
        let (header, payload) = frame.split_at(HEADER_BYTES);
        let header = Header::decode(header.try_into().unwrap()).unwrap();
        let opened = opener.open(&header, &mut payload.to_vec()).unwrap();
        assert_eq!(opened.message.expose(), bytes(&case["answer_message"]));
        assert_eq!(opened.outcome.encode(), bytes(&case["outcome"]));
    }
}

#[test]
fn a_client_sealed_grant_names_the_digest_of_its_message() {
    let (_, cases) = cases();
    for case in &cases {
        let grant = Grant::decode(&bytes(&case["grant"])).unwrap();
        let digest: [u8; 32] = Sha256::digest(bytes(&case["message"])).into();
        let expected = (grant.mode == Mode::ClientSealed).then_some(digest);
        assert_eq!(grant.ciphertext_sha256, expected);
    }
}

#[test]
fn control_keys_are_derived_to_the_same_bytes() {
    let (vectors, (session, _)) = (vectors(), cases());
    for (label, name) in [
        (labels::CONTROL_TO_WORKER, "to_worker_key"),
        (labels::CONTROL_TO_GATEWAY, "to_gateway_key"),
    ] {
        let key = expand(session.secret(), label, 0);
        assert_eq!(hex::encode(key.expose()), vectors["control"][name].as_str().unwrap());
    }
}

#[test]
fn control_frames_to_the_worker_are_sealed_to_the_same_bytes() {
    let (vectors, (session, _)) = (vectors(), cases());
    let message = ToWorker::Part(vec![1, 2]);
    assert_eq!(minicbor::to_vec(&message).unwrap(), bytes(&vectors["control"]["message"]));
    let frame = gateway_ends(&session).0.seal(&message).unwrap();
    assert_eq!(hex::encode(frame), vectors["control"]["frame"].as_str().unwrap());
}

#[test]
fn control_frames_to_the_worker_open_at_its_end() {
    let (vectors, (session, _)) = (vectors(), cases());
    let frame = bytes(&vectors["control"]["frame"]);
    let (header, payload) = frame.split_at(HEADER_BYTES);
    let header = Header::decode(header.try_into().unwrap()).unwrap();
    let opened: ToWorker = worker_ends(&session).1.open(&header, &mut payload.to_vec()).unwrap();
    assert!(matches!(opened, ToWorker::Part(part) if part == [1, 2]));
}

#[test]
fn the_sessions_context_is_the_same() {
    let vectors = vectors();
    let session = &vectors["session"];
    let identity = Identity {
        version: 1,
        hop_key: vec![9; 3],
        build: "b".to_owned(),
        engine: "flex".to_owned(),
        threads: 2,
        build_digest: [7; 32],
        sandbox: vec!["landlock: enforced".to_owned()],
        enforced: true,
    };
    assert_eq!(minicbor::to_vec(&identity).unwrap(), bytes(&session["identity"]));
    let digest = identity.digest();
    assert_eq!(digest.to_vec(), bytes(&session["identity_digest"]));
    assert_eq!(session_info(&digest), bytes(&session["info"]));
}
