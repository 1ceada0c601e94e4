//! A client of client-sealed mode, by hand: each step apart, so that a test can spoil any of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test file uses its own part of this")]

use sealgate_keys::ohttp::{
    Aead, KEYS_TYPE, Kem, KeyList, OpenedResponse, REQUEST_TYPE, RESPONSE_TYPE, ResponseOpener,
    seal,
};
use sealgate_keys::{Cleartext, InnerAnswer, InnerRequest};

use crate::support::{Https, Reply};

pub const MODEL: &str = "breast-cancer";
pub const INFER: &str = "/v2/models/breast-cancer/infer";
pub const KEYS: &str = "/v1/models/breast-cancer/ohttp-keys";

/// The model's key list as one replica has it now.
pub fn key_list(https: &Https, token: &str) -> KeyList {
    let reply = https.get(KEYS, token);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some(KEYS_TYPE));
    KeyList::decode(&reply.body).expect("a key list")
}

/// A request as it stands inside.
pub fn inner(body: &[u8]) -> InnerRequest {
    InnerRequest {
        method: "POST".into(),
        path: INFER.into(),
        headers: vec![("content-type".into(), b"application/json".to_vec())],
        body: Cleartext::new(body.to_vec()),
    }
}

/// Seals under AES-256-GCM.
pub fn sealed(list: &KeyList, kem: Kem, request: &InnerRequest) -> (Vec<u8>, ResponseOpener) {
    sealed_with(list, kem, Aead::Aes256Gcm, request)
}

pub fn sealed_with(
    list: &KeyList,
    kem: Kem,
    aead: Aead,
    request: &InnerRequest,
) -> (Vec<u8>, ResponseOpener) {
    let message = request.encode().unwrap();
    seal(list.key(kem).expect("the kem"), aead, message.expose()).unwrap()
}

/// Sends what was sealed.
pub fn post(https: &Https, token: &str, sealed: &[u8]) -> Reply {
    post_with(https, token, sealed, &[])
}

pub fn post_with(https: &Https, token: &str, sealed: &[u8], more: &[(&str, &str)]) -> Reply {
    let bearer = format!("Bearer {token}");
    let own = [("Authorization", bearer.as_str()), ("Content-Type", REQUEST_TYPE)];
    https.request("POST", INFER, &[&own[..], more].concat(), sealed)
}

/// Opens an answer, which must be one.
pub fn opened(opener: ResponseOpener, reply: &Reply) -> (InnerAnswer, OpenedResponse) {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some(RESPONSE_TYPE));
    let opened = opener.open(&reply.body).expect("it opens");
    (InnerAnswer::decode(opened.message.expose()).expect("binary HTTP"), opened)
}

/// One whole exchange; the answer inside.
pub fn ask(https: &Https, token: &str, request: &InnerRequest) -> InnerAnswer {
    let list = key_list(https, token);
    let (sealed, opener) = sealed(&list, Kem::X25519, request);
    opened(opener, &post(https, token, &sealed)).0
}

/// The JSON inside an answer.
pub fn json(answer: &InnerAnswer) -> serde_json::Value {
    serde_json::from_slice(answer.body.expose()).expect("JSON")
}
