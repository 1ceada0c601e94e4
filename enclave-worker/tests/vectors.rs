//! The worker opens what a second implementation sealed (`tests/vectors/hop.py`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Instant;

use sealgate_keys::frame::{HEADER_BYTES, Header};
use sealgate_keys::{Cleartext, SessionSecret};
use sealgate_worker::RequestOpener;
use serde_json::Value;

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn requests_sealed_by_the_second_implementation_open() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../tests/vectors/hop.json")).unwrap();
    let session = bytes(&vectors["session_secret"]).try_into().unwrap();
    let opener = RequestOpener::new(&SessionSecret::from_bytes(session));
    // In the order of their epochs, as a session would see them.
    for case in vectors["cases"].as_array().unwrap() {
        let frame = bytes(&case["request_frame"]);
        let (header, payload) = frame.split_at(HEADER_BYTES);
        let header = Header::decode(header.try_into().unwrap()).unwrap();
        let opened = opener.open(&header, payload.to_vec(), Instant::now()).unwrap();
        assert_eq!(opened.grant().encode(), bytes(&case["grant"]));
        let mut message = Vec::new();
        let _ = opened.map(|_, cleartext: Cleartext| {
            message = cleartext.into_public();
            Ok::<(), ()>(())
        });
        assert_eq!(message, bytes(&case["message"]));
    }
}
