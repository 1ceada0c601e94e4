//! Events, from the package on a disk to the answer, without a network.

use std::path::Path;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealgate_client::{Kind, ShownKeyset, Trust};
use sealgate_keys::InnerAnswer;
use sealgate_keys::at_rest::{KeyFileKek, seal as seal_at_rest};
use sealgate_keys::ohttp::{KEY_PROBLEM, Kem, ResponseOpener};
use serde_json::{Value, json};

use super::scene::{BOTH, PLAIN, SEALED, Scene, artifact, open};

#[test]
fn a_row_has_a_result_and_rows_have_a_list_of_them() {
    let scene = Scene::new(PLAIN);
    let one = scene.ask(&json!({ "x": [0.5, 1.5] }));
    let two = scene.ask(&json!({ "x": [[0.5, 1.5], [0.5, 1.5]] }));
    assert!(one["result"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)));
    assert_eq!(two, json!({ "result": [one["result"], one["result"]] }));
}

#[test]
fn a_proxied_request_of_either_version_is_answered_like_the_plain_event() {
    let scene = Scene::new(BOTH);
    let expected = scene.ask(&json!({ "x": [0.5, 1.5] }));
    let body = r#"{"x":[0.5,1.5]}"#;
    for event in [
        first("POST", "/invocations", "application/json", body.as_bytes(), false),
        first("POST", "/invocations", "application/json", body.as_bytes(), true),
        second("POST", "/invocations", "application/json", body.as_bytes(), false),
        second("POST", "/prod/invocations", "application/json", body.as_bytes(), true),
        second("POST", "/", "application/json", body.as_bytes(), true),
    ] {
        let answer = scene.ask(&event);
        assert_eq!(answer["statusCode"], 200, "{event}");
        assert_eq!(answer["headers"]["content-type"], "application/json");
        assert_eq!(answer["isBase64Encoded"], false);
        assert_eq!(answer.get("cookies").is_some(), event.get("version").is_some());
        let said: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(said, expected);
        assert!(answer["headers"]["sealgate-receipt"].as_str().unwrap().contains("unsealed"));
    }
}

#[test]
fn the_open_inference_protocol_is_spoken_by_proxy() {
    let scene = Scene::new(PLAIN);
    let body =
        json!({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 1.5]}]});
    let body = body.to_string();
    let event = first("POST", "/v2/models/m/infer", "application/json", body.as_bytes(), false);
    assert_eq!(body_of(&scene.ask(&event))["model_name"], "m");
    let event = first("GET", "/v2/models/m", "application/json", b"", false);
    assert_eq!(body_of(&scene.ask(&event))["inputs"][0]["name"], "x");
    let event = first("GET", "/v2/models/other", "application/json", b"", false);
    assert_eq!(scene.ask(&event)["statusCode"], 404);
}

#[test]
fn a_sealed_envelope_is_answered_by_a_sealed_one_direct_and_by_proxy() {
    let scene = Scene::new(BOTH);
    let plain = scene.ask(&json!({ "x": [0.5, 1.5] }));
    let (sealed, opener) = scene.seal(Kem::XWing, true);
    let answer = scene.ask(&json!({ "message/ohttp-req": STANDARD.encode(&sealed), "rows": 1 }));
    assert_eq!(answer.as_object().unwrap().len(), 1);
    let (status, said) = opened(opener, answer["message/ohttp-res"].as_str().unwrap());
    assert_eq!((status, said["result"].clone()), (200, plain["result"].clone()));

    for shape in [first, second] {
        let (sealed, opener) = scene.seal(Kem::X25519, true);
        let event = shape("POST", "/v2/models/m/infer", "message/ohttp-req", &sealed, true);
        let answer = scene.ask(&event);
        assert_eq!(answer["statusCode"], 200);
        assert_eq!(answer["headers"]["content-type"], "message/ohttp-res");
        assert_eq!(answer["isBase64Encoded"], true);
        let (status, said) = opened(opener, answer["body"].as_str().unwrap());
        assert_eq!((status, said["result"].clone()), (200, plain["result"].clone()));
    }
}

#[test]
fn what_was_opened_is_refused_also_by_the_next_process() {
    let scene = Scene::new(BOTH);
    let (sealed, opener) = scene.seal(Kem::X25519, true);
    let event = json!({ "message/ohttp-req": STANDARD.encode(&sealed) });
    assert!(scene.ask(&event)["message/ohttp-res"].is_string());
    let next = scene.restarted();
    let again = next.ask(&event);
    let (status, said) = opened(opener, again["message/ohttp-res"].as_str().unwrap());
    assert_eq!((status, said["code"].as_str().unwrap()), (409, "replayed"));
}

#[test]
fn an_undated_envelope_is_refused_inside() {
    let scene = Scene::new(SEALED);
    let (sealed, opener) = scene.seal(Kem::X25519, false);
    let answer = scene.ask(&json!({ "message/ohttp-req": STANDARD.encode(&sealed) }));
    let (status, said) = opened(opener, answer["message/ohttp-res"].as_str().unwrap());
    assert_eq!((status, said["code"].as_str().unwrap()), (400, "date"));
}

#[test]
fn an_envelope_for_other_keys_is_refused_with_the_problem_that_sends_clients_for_new_ones() {
    let (scene, other) = (Scene::new(SEALED), Scene::new(SEALED));
    let (sealed, _) = other.seal(Kem::X25519, true);
    let direct = scene.ask(&json!({ "message/ohttp-req": STANDARD.encode(&sealed) }));
    assert_eq!((&direct["status"], &direct["type"]), (&json!(400), &json!(KEY_PROBLEM)));
    for bytes in [&sealed[..], b"garbage", b""] {
        let event = second("POST", "/", "message/ohttp-req", bytes, true);
        let answer = scene.ask(&event);
        assert_eq!(answer["statusCode"], 400);
        assert_eq!(body_of(&answer)["type"], KEY_PROBLEM);
    }
    let plain = Scene::new(PLAIN);
    let refused = plain.ask(&second("POST", "/", "message/ohttp-req", &sealed, true));
    assert_eq!(body_of(&refused)["type"], KEY_PROBLEM, "no keys, none that opens");
}

#[test]
fn a_function_for_what_is_sealed_answers_nothing_in_the_clear() {
    let scene = Scene::new(SEALED);
    assert_eq!(scene.ask(&json!({ "x": [0.5, 1.5] }))["code"], "sealed_only");
    let event = first("POST", "/invocations", "application/json", br#"{"x":[0.5,1.5]}"#, false);
    assert_eq!(scene.ask(&event)["statusCode"], 403);
}

#[test]
fn what_a_client_judges_of_a_worker_it_judges_of_a_function() {
    let scene = Scene::new(SEALED);
    let nonce = "5a".repeat(32);
    let shown = scene.ask(&json!({ "attestation": { "nonce": nonce } }));
    let event = first("GET", "/v1/attestation", "application/json", b"", false);
    let event = merged(event, json!({ "queryStringParameters": { "nonce": nonce, "model": "m" } }));
    assert_eq!(body_of(&scene.ask(&event))["keyset"], shown["keyset"]);
    let held = merged(shown, json!({ "nonce": nonce }));

    for (bytes, nonce_is_ours) in
        [(held.to_string().into_bytes(), true), (scene.shown.clone(), false)]
    {
        let shown = ShownKeyset::from_json(&bytes).unwrap();
        assert!(nonce_is_ours || shown.nonce == "00".repeat(32));
        assert_eq!(shown.keyset.replay.as_deref(), Some("at-least-once"));
        assert_eq!(shown.keys().unwrap().0.len(), 2);
        let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let trust = |key: [u8; 32]| Trust {
            accept: vec![Kind::Software],
            software_keys: vec![key],
            evidence_age_max_s: 300,
            ..Trust::default()
        };
        let pinned: [u8; 32] = STANDARD.decode(&scene.voucher).unwrap().try_into().unwrap();
        assert!(shown.judge(&trust(pinned), now_s).is_ok());
        assert!(shown.judge(&trust([3; 32]), now_s).is_err());
    }
    for path in ["/.well-known/ohttp-gateway", "/v1/models/m/ohttp-keys"] {
        let answer = scene.ask(&second("GET", path, "application/json", b"", false));
        assert_eq!(answer["headers"]["content-type"], "application/ohttp-keys");
        assert_eq!(STANDARD.decode(answer["body"].as_str().unwrap()).unwrap(), scene.key_list());
    }
    let strange = [
        json!({ "nonce": "5a" }),
        json!({ "nonce": nonce, "model": "other" }),
        json!({ "nonce": nonce, "extra": "1" }),
        Value::Null,
    ];
    for query in strange {
        let event = first("GET", "/v1/attestation", "application/json", b"", false);
        let answer = scene.ask(&merged(event, json!({ "queryStringParameters": query })));
        assert_eq!(body_of(&answer)["code"], "attestation_query");
    }
}

#[test]
fn whatever_else_comes_in_is_refused_and_costs_nobody_anything() {
    let scene = Scene::new(BOTH);
    for event in [
        "{}",
        "[]",
        "[[0.5,1.5]]",
        "null",
        "\"x\"",
        "17",
        r#"{"y":[0.5,1.5]}"#,
        r#"{"x":"a"}"#,
        r#"{"x":[1e400,1]}"#,
        r#"{"x":[0.5,1.5],"x":[0.5,1.5]}"#,
        r#"{"x":[0.5,1.5],"y":1}"#,
        r#"{"message/ohttp-req":"*"}"#,
        r#"{"message/ohttp-req":7}"#,
        r#"{"message/ohttp-req":"AA==","x":[0.5,1.5]}"#,
        r#"{"message/ohttp-req":"AA==","message/ohttp-req":"AA=="}"#,
        r#"{"message/ohttp-req":"AA==","rows":-1}"#,
        r#"{"message/ohttp-req":"AA==","attestation":{}}"#,
        r#"{"attestation":{"nonce":"zz"}}"#,
        r#"{"attestation":[]}"#,
        r#"{"requestContext":{}}"#,
        r#"{"requestContext":1}"#,
        r#"{"requestContext":{},"version":"3.0","httpMethod":"POST","path":"/"}"#,
        r#"{"requestContext":{},"httpMethod":"POST","path":"/","body":"*","isBase64Encoded":true}"#,
        r#"{"requestContext":{},"version":"2.0","rawPath":"/"}"#,
    ] {
        let answer: Value =
            serde_json::from_slice(&scene.handler.answer(event.as_bytes())).unwrap();
        let status = answer["status"].as_u64().or(answer["statusCode"].as_u64());
        assert!(status.is_some_and(|status| (400..500).contains(&status)), "{event}: {answer}");
    }
    let mut huge = br#"{"x":["#.to_vec();
    huge.resize(9 << 20, b'1');
    let answer: Value = serde_json::from_slice(&scene.handler.answer(&huge)).unwrap();
    assert_eq!(answer["status"], 413);
    assert!(scene.ask(&json!({ "x": [0.5, 1.5] }))["result"].is_number());
}

#[test]
fn a_header_field_that_could_be_read_in_two_ways_is_refused() {
    let scene = Scene::new(BOTH);
    let body = br#"{"x":[0.5,1.5]}"#;
    let twice = json!({ "headers": { "Content-Type": "message/ohttp-req", "content-type": "application/json" } });
    let event = merged(second("POST", "/", "application/json", body, false), twice);
    assert_eq!(body_of(&scene.ask(&event))["code"], "header_repeated");
    let several = json!({ "multiValueHeaders": { "content-type": ["application/json", "message/ohttp-req"] } });
    let event = merged(first("POST", "/", "application/json", body, false), several);
    assert_eq!(body_of(&scene.ask(&event))["code"], "header_repeated");
    let others = json!({ "headers": { "x-forwarded-for": "a", "Authorization": "b", "content-type": "application/json" } });
    let event = merged(first("POST", "/", "application/json", body, false), others);
    assert_eq!(scene.ask(&event)["statusCode"], 200);
}

#[test]
fn what_may_leave_is_cut_by_the_configuration() {
    let scene = Scene::with(PLAIN, "label");
    assert_eq!(scene.ask(&json!({ "x": [0.5, 1.5] })), json!({ "result": 0.0 }));
}

#[test]
fn another_model_program_or_kek_than_the_keys_were_made_for_does_not_start() {
    let scene = Scene::new(SEALED);
    let start = |change: &dyn Fn(&Path)| {
        let copy = tempfile::tempdir().unwrap();
        for name in ["function.toml", "function.keys", "model.safetensors", "kek", "bootstrap"] {
            std::fs::copy(scene.folder.path().join(name), copy.path().join(name)).unwrap();
        }
        change(copy.path());
        open(copy.path()).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let write = |name: &'static str, bytes: Vec<u8>| {
        move |folder: &Path| std::fs::write(folder.join(name), &bytes).unwrap()
    };
    assert_eq!(start(&|_| {}), "");
    assert!(start(&write("model.safetensors", artifact(0.5))).contains("another model"));
    assert!(start(&write("bootstrap", b"another".to_vec())).contains("another program"));
    assert!(start(&write("kek", vec![9; 32])).contains("does not open"));
    let mut keys = std::fs::read(scene.folder.path().join("function.keys")).unwrap();
    *keys.last_mut().unwrap() ^= 1;
    assert!(start(&write("function.keys", keys)).contains("does not open"));
    let open_to_all = |folder: &Path| {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(folder.join("kek"), mode).unwrap();
    };
    assert!(start(&open_to_all).contains("open to other users"));
}

#[test]
fn a_model_that_lies_sealed_is_opened_by_the_same_kek() {
    let scene = Scene::new(PLAIN);
    let expected = scene.ask(&json!({ "x": [0.5, 1.5] }));
    let folder = scene.folder.path();
    let kek = KeyFileKek::read(&folder.join("kek")).unwrap();
    let sealed = seal_at_rest(&artifact(0.25), &[&kek]).unwrap();
    std::fs::write(folder.join("model.safetensors"), sealed).unwrap();
    assert_eq!(scene.restarted().ask(&json!({ "x": [0.5, 1.5] })), expected);
}

fn opened(opener: ResponseOpener, answer: &str) -> (u16, Value) {
    let opened = opener.open(&STANDARD.decode(answer).unwrap()).unwrap();
    let answer = InnerAnswer::decode(opened.message.expose()).unwrap();
    (answer.status, serde_json::from_slice(answer.body.expose()).unwrap())
}

fn body_of(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

/// A proxy event as a REST API of API Gateway sends it.
fn first(method: &str, path: &str, content_type: &str, body: &[u8], base64: bool) -> Value {
    json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": { "Accept": "*/*", "Content-Type": content_type, "Host": "example.org" },
        "queryStringParameters": null,
        "pathParameters": { "proxy": "p" },
        "stageVariables": null,
        "requestContext": { "accountId": "1", "stage": "prod", "identity": { "sourceIp": "192.0.2.1" } },
        "body": text(body, base64),
        "isBase64Encoded": base64,
    })
}

/// A proxy event as an HTTP API and a function URL send it.
fn second(method: &str, path: &str, content_type: &str, body: &[u8], base64: bool) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "accept": "*/*", "content-type": content_type, "host": "example.org" },
        "requestContext": {
            "accountId": "1",
            "stage": "prod",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
        },
        "body": text(body, base64),
        "isBase64Encoded": base64,
    })
}

fn text(body: &[u8], base64: bool) -> String {
    if base64 { STANDARD.encode(body) } else { String::from_utf8(body.to_vec()).unwrap() }
}

fn merged(mut event: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    event.as_object_mut().unwrap().extend(more);
    event
}
