//! Sealed files against those that a second implementation made (`tests/vectors/at_rest.py`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::header::{self, Header};
use super::seal::assemble;
use super::*;
use crate::Secret;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/at_rest.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn bytes32(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

fn keks(vectors: &Value) -> (KeyFileKek, PassphraseKek) {
    let number = |name: &str| u32::try_from(vectors["cost"][name].as_u64().unwrap()).unwrap();
    let cost = Argon2Cost {
        memory_kib: number("memory_kib"),
        passes: number("passes"),
        lanes: number("lanes"),
    };
    let passphrase = PassphraseKek::new(bytes(&vectors["passphrase"]).into()).unwrap();
    let kek = KeyFileKek::new(Secret::from_bytes(bytes32(&vectors["kek"])));
    (kek, passphrase.at_cost(cost).unwrap())
}

fn artifact(case: &Value) -> Vec<u8> {
    (0..case["bytes"].as_u64().unwrap()).map(|i| (i % 251) as u8).collect()
}

#[test]
fn files_are_sealed_to_the_same_bytes() {
    let vectors = vectors();
    let (kek, passphrase) = keks(&vectors);
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let (clear, dek) = (artifact(case), Dek::from_bytes(bytes32(&case["dek"])));
        let header = Header::new(&clear, *dek.commitment().expose()).unwrap().encode();
        assert_eq!(header, case["header"].as_str().unwrap().as_bytes());
        let file = header::identity(&header);
        let [first, second] = [0, 1].map(|index| bytes32(&case["salts"][index]));
        let id = vectors["passphrase_id"].as_str().unwrap();
        let wraps = [
            kek.wrap_with(&dek, &file, &first).unwrap(),
            passphrase.wrap_with(&dek, &file, &second, id).unwrap(),
        ];
        assert_eq!(wrap::encode(&wraps).unwrap(), case["wraps"].as_str().unwrap().as_bytes());
        let sealed = assemble(&header, &wraps, &clear, &dek).unwrap();
        assert_eq!(Sha256::digest(&sealed)[..], bytes32(&case["file_sha256"]));
    }
    assert_eq!(cases.len(), 6);
}

#[test]
fn files_that_were_made_elsewhere_open_by_either_kek() {
    let vectors = vectors();
    let (kek, passphrase) = keks(&vectors);
    let given: Vec<_> = vectors["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["file"].is_string())
        .collect();
    for case in &given {
        let file = bytes(&case["file"]);
        let sealed = SealedFile::parse(&file).unwrap();
        for kek in [&kek as &dyn KekProvider, &passphrase] {
            let dek = sealed.unwrap(kek).unwrap();
            assert_eq!(dek.expose(), &bytes32(&case["dek"]));
            assert!(sealed.open(&dek).unwrap().expose() == artifact(case));
        }
    }
    assert_eq!(given.len(), 3);
}

#[test]
fn a_key_files_id_is_derived_to_the_same_bytes() {
    let vectors = vectors();
    assert_eq!(keks(&vectors).0.id(), vectors["kek_id"].as_str());
}
