//! Client-sealed mode: the gateway decides over what it cannot open.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/sealed.rs"]
mod sealed;
mod support;

use sealed::{
    INFER, KEYS, MODEL, ask, inner, json, key_list, opened, post, post_with, sealed_with,
};
use sealgate_keys::ohttp::{Aead, KEY_PROBLEM, Kem, KeyList};
use sealgate_keys::receipt::{WorkerReceipt, verify};
use sealgate_keys::{CommittedTensor, Direction, RECEIPT_HEADER, commit};
use serde_json::{Value, json as json_of};
use support::{Demo, Reply, shared};

fn seal(list: &KeyList, kem: Kem, body: &[u8]) -> (Vec<u8>, sealgate_keys::ohttp::ResponseOpener) {
    sealed::sealed(list, kem, &inner(body))
}

#[test]
fn a_sealed_request_is_answered_as_an_open_one_under_every_suite() {
    let demo = shared();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let plain = https.post(INFER, &token, &example).json();
    let list = key_list(&https, &token);
    for kem in Kem::ALL {
        for aead in Aead::ALL {
            let (sealed, opener) = sealed_with(&list, kem, aead, &inner(&example));
            let (answer, _) = opened(opener, &post(&https, &token, &sealed));
            assert_eq!(answer.status, 200, "{kem:?} {aead:?}: {}", json(&answer));
            assert_eq!(json(&answer)["outputs"], plain["outputs"], "{kem:?} {aead:?}");
        }
    }
}

#[test]
fn a_key_list_offers_x_wing_first_and_lives_shorter_than_the_overlap() {
    let demo = shared();
    let (https, token) = (demo.https(), demo.token());
    for path in [KEYS, "/.well-known/ohttp-gateway"] {
        let reply = https.get(path, &token);
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("cache-control"), Some("private, max-age=240"), "{path}");
        let kems: Vec<Kem> =
            KeyList::decode(&reply.body).unwrap().0.iter().map(|config| config.kem).collect();
        assert_eq!(kems, [Kem::XWing, Kem::X25519], "{path}");
    }
}

#[test]
fn keys_and_evidence_are_for_those_who_may_see_the_model() {
    let demo = shared();
    let https = demo.https();
    let claims = demo.allowed_claims(&["group"]);
    let nobody: Vec<&str> = claims.iter().map(String::as_str).collect();
    let nobody = demo.token_for(&nobody);
    let attestation = format!("/v1/attestation?nonce={}", "00".repeat(32));
    for path in [KEYS, "/.well-known/ohttp-gateway", &attestation] {
        assert_eq!(https.request("GET", path, &[], &[]).code(), "token_missing", "{path}");
        let refused = https.get(path, &nobody);
        assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"), "{path}");
    }
    let unknown = https.get("/v1/models/none/ohttp-keys", &demo.token());
    assert_eq!(unknown.code(), "forbidden");
}

#[test]
fn whatever_is_wrong_with_the_key_or_the_seal_looks_the_same_outside() {
    let demo = shared();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let list = key_list(&https, &token);
    let (good, _) = seal(&list, Kem::X25519, &example);
    let taken: Vec<u8> = list.0.iter().map(|config| config.key_id).collect();
    let unknown_id = (0..=255).rev().find(|id| !taken.contains(id)).unwrap();
    let at = |index: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[index] = byte;
        bytes
    };
    let flipped = |index: usize| at(index, good[index] ^ 1);
    let spoilt: [(&str, Vec<u8>, &str); 8] = [
        ("unknown key id", at(0, unknown_id), "key_unknown"),
        ("the other kem's id", at(0, taken[0]), "key_unknown"),
        ("an unknown kem", at(1, 0x7f), "not_opened"),
        ("another aead", at(6, 1), "not_opened"),
        ("a flipped encapsulated key", flipped(20), "not_opened"),
        ("a flipped last byte", flipped(good.len() - 1), "not_opened"),
        ("a cut", good[..good.len() - 1].to_vec(), "not_opened"),
        ("nothing", vec![], "not_opened"),
    ];
    let told = |reply: &Reply| {
        let mut problem = reply.json();
        problem["request_id"] = Value::Null;
        (reply.status, problem)
    };
    let first = post(&https, &token, &spoilt[0].1);
    assert_eq!((first.status, first.code().as_str()), (400, "ohttp_key"));
    assert_eq!(first.json()["type"], KEY_PROBLEM);
    for (what, bytes, recorded) in spoilt {
        let reply = post(&https, &token, &bytes);
        assert_eq!(told(&reply), told(&first), "{what}");
        let id = reply.header("sealgate-request-id").unwrap().to_owned();
        assert_eq!(outcome(&demo, &id)["code"], recorded, "{what}");
    }
    assert_eq!(post(&https, &token, &good).status, 200, "and none of that spoilt the request");
}

#[test]
fn a_request_that_was_opened_is_not_opened_again() {
    let demo = shared();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    for kem in Kem::ALL {
        let (sealed, opener) = seal(&key_list(&https, &token), kem, &example);
        opened(opener, &post(&https, &token, &sealed));
        let again = post(&https, &token, &sealed);
        assert_eq!((again.status, again.code().as_str()), (400, "ohttp_key"), "{kem:?}");
        let id = again.header("sealgate-request-id").unwrap().to_owned();
        assert_eq!(outcome(&demo, &id)["code"], "replayed", "{kem:?}");
    }
}

#[test]
fn of_one_request_sent_many_times_at_once_exactly_one_is_opened() {
    let demo = shared();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let (sealed, _) = seal(&key_list(&https, &token), Kem::X25519, &example);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..12).map(|_| scope.spawn(|| post(&https, &token, &sealed).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 400].contains(status)), "{statuses:?}");
}

#[test]
fn another_batch_of_the_same_shape_has_the_same_sizes_and_so_has_an_error() {
    let demo = shared();
    let (https, token) = (demo.https(), demo.token());
    let body = |value: f64, width: usize| {
        let data = vec![value; width];
        json_of!({"inputs": [{"name": "x", "shape": [1, width], "datatype": "FP32", "data": data}]})
            .to_string()
            .into_bytes()
    };
    let bodies = [body(0.0, 30), body(123.456_789_01, 30), body(0.0, 29), b"{".to_vec()];
    let sizes: Vec<(usize, usize)> = bodies
        .iter()
        .map(|body| {
            let (sealed, _) = seal(&key_list(&https, &token), Kem::X25519, body);
            let reply = post(&https, &token, &sealed);
            assert_eq!(reply.status, 200);
            (sealed.len(), reply.body.len())
        })
        .collect();
    assert!(sizes.iter().all(|size| size == &sizes[0]), "{sizes:?}");
}

#[test]
fn what_is_inside_must_be_what_was_granted() {
    let demo = shared();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let with = |path: &str, header: Option<(&str, &[u8])>| {
        let mut request = inner(&example);
        request.path = path.into();
        request.headers.extend(header.map(|(name, value)| (name.to_owned(), value.to_vec())));
        request
    };
    let mut describe = inner(b"");
    (describe.method, describe.path) = ("GET".into(), format!("/v2/models/{MODEL}"));
    let mut nested = inner(&example);
    nested.headers = vec![("content-type".into(), b"message/ohttp-req".to_vec())];
    let other = format!("\"{}\"", "0".repeat(64));
    let wrong = [
        ("another model", with("/v2/models/other/infer", None), 404, "model_unknown"),
        (
            "another version",
            with(&format!("/v2/models/{MODEL}/versions/9/infer"), None),
            404,
            "version_unknown",
        ),
        ("another action", describe, 404, "model_unknown"),
        ("a nested message", nested, 400, "nested"),
        (
            "another model's digest",
            with(INFER, Some(("if-match", other.as_bytes()))),
            412,
            "model_pinned",
        ),
        (
            "a token inside",
            with(INFER, Some(("authorization", b"Bearer x"))),
            400,
            "message_malformed",
        ),
        ("a grant inside", with(INFER, Some(("sealgate-rows", b"9"))), 400, "message_malformed"),
        (
            "another time",
            with(INFER, Some(("date", b"Sun, 06 Nov 1994 08:49:37 GMT"))),
            400,
            "date",
        ),
    ];
    for (what, request, status, code) in wrong {
        let answer = ask(&https, &token, &request);
        let told = json(&answer);
        assert_eq!(
            (answer.status, told["code"].as_str().unwrap()),
            (status, code),
            "{what}: {told}"
        );
        assert!(answer.header(RECEIPT_HEADER).is_some(), "{what}: no receipt");
    }
}

#[test]
fn a_sealed_answers_receipt_is_inside_and_opens_with_the_clients_key_alone() {
    let demo = shared();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let attested = attestation(&https.get(&attestation_path("11"), &token));
    let list = KeyList::decode(&attested.key_list).unwrap();
    let (sealed, opener) = seal(&list, Kem::XWing, &example);
    let reply = post(&https, &token, &sealed);
    assert_eq!(reply.header(RECEIPT_HEADER), None, "nothing of it is outside");
    let (answer, opened) = opened(opener, &reply);
    let key = attested.keyset.receipt_key.0.as_slice().try_into().unwrap();
    let receipt: WorkerReceipt = verify(answer.header(RECEIPT_HEADER).unwrap(), &key).unwrap();

    assert_eq!(Some(receipt.request_id.as_str()), reply.header("sealgate-request-id"));
    assert_eq!(receipt.mode, "client-sealed");
    assert_eq!(receipt.code, "ok");
    assert_eq!(receipt.keyset_digest, hex::encode(attested.keyset.digest()));
    assert_eq!(receipt.model_digest, attested.keyset.model.digest);
    let score = json(&answer)["outputs"][0]["data"][0].as_f64().unwrap() as f32;
    let tensor = CommittedTensor { name: "probability", shape: &[1, 1], values: &[score] };
    let expected = commit(&opened.commitment_key, Direction::Output, &[tensor]);
    assert_eq!(receipt.output_commitment, Some(hex::encode(expected)));

    let recorded = outcome(&demo, &receipt.request_id);
    let line = answer.header(RECEIPT_HEADER).unwrap();
    let id: [u8; 16] = hex::decode(&receipt.request_id).unwrap().try_into().unwrap();
    let digest = sealgate_keys::receipt::digest(&id, line);
    assert_eq!(recorded["receipt_digest"], hex::encode(digest));
    assert_eq!(recorded["keyset_digest"], receipt.keyset_digest);
}

#[test]
fn a_gateway_sealed_answer_has_its_receipt_in_its_header() {
    let demo = shared();
    let (https, token) = (demo.https(), demo.token());
    let reply = https.post(INFER, &token, &demo.example());
    let attested = attestation(&https.get(&attestation_path("22"), &token));
    let key = attested.keyset.receipt_key.0.as_slice().try_into().unwrap();
    let receipt: WorkerReceipt = verify(reply.header(RECEIPT_HEADER).unwrap(), &key).unwrap();
    assert_eq!(receipt.mode, "gateway-sealed");
    assert!(reply.header("sealgate-commitment-key").is_some());
    assert!(receipt.input_commitment.is_some() && receipt.output_commitment.is_some());
}

#[test]
fn announced_rows_bound_a_sealed_batch_and_pad_its_answer() {
    let demo = shared();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let list = key_list(&https, &token);
    let size = |rows: &str| {
        let (sealed, opener) = seal(&list, Kem::X25519, &example);
        let reply = post_with(&https, &token, &sealed, &[("Sealgate-Rows", rows)]);
        assert_eq!(opened(opener, &reply).0.status, 200);
        reply.body.len()
    };
    assert!(size("200") > size("1"), "the answer is padded to what was reserved");
    let two: Value = serde_json::from_slice(&example).unwrap();
    let mut two = two;
    let data = two["inputs"][0]["data"].as_array().unwrap().clone();
    two["inputs"][0]["data"] = [data.clone(), data].concat().into();
    two["inputs"][0]["shape"] = json_of!([2, 30]);
    let (sealed, opener) = seal(&list, Kem::X25519, two.to_string().as_bytes());
    let reply = post_with(&https, &token, &sealed, &[("Sealgate-Rows", "1")]);
    let (answer, _) = opened(opener, &reply);
    assert_eq!((answer.status, json(&answer)["code"].as_str()), (413, Some("too_many_rows")));
}

struct Attested {
    keyset: sealgate_keys::Keyset,
    key_list: Vec<u8>,
}

fn attestation_path(byte: &str) -> String {
    format!("/v1/attestation?nonce={}", byte.repeat(32))
}

fn attestation(reply: &Reply) -> Attested {
    let answer = reply.json();
    let keyset = serde_json::from_value(answer["keyset"].clone()).expect("a keyset");
    let list = sealgate_keys::Base64::decode(answer["key_list"].as_str().unwrap()).unwrap();
    Attested { keyset, key_list: list.0 }
}

/// The outcome record of a request; it is written soon after the answer.
fn outcome(demo: &Demo, request_id: &str) -> Value {
    let mut found = None;
    support::wait_until("the outcome is recorded", std::time::Duration::from_secs(10), || {
        found = demo.records().into_iter().find(|record| {
            record["type"] == "outcome" && record["event"]["request_id"] == request_id
        });
        found.is_some()
    });
    found.unwrap()["event"].clone()
}
