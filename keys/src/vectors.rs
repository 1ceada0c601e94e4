//! The envelope against values that a second implementation computed (`tests/vectors/hop.py`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use serde_json::Value;

use crate::frame::{HEADER_BYTES, Header};
use crate::request::seal_request;
use crate::{AnswerOpener, EpochKeys, Grant, Outcome, Secret, SessionSecret};

fn cases() -> (SessionSecret, Vec<Value>) {
    let text = include_str!("../../tests/vectors/hop.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
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
