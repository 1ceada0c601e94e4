//! What must not work, and how each refusal looks to a client and to the record.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::time::Duration;

use sealgate_keys::RECEIPT_HEADER;
use serde_json::{Value, json};
use support::{Reply, shared, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";

fn decision_of(reply: &Reply) -> Value {
    let id = json!(reply.header("sealgate-request-id").expect("an id"));
    let records = shared().records();
    let found = records.iter().find(|r| r["type"] == "decision" && r["event"]["request_id"] == id);
    found.unwrap_or_else(|| panic!("no record of {id}"))["event"].clone()
}

fn token_without(leave_out: &str, extra: &[&str]) -> String {
    let claims = shared().allowed_claims(&[leave_out]);
    let mut arguments: Vec<&str> = claims.iter().map(String::as_str).collect();
    arguments.extend(extra);
    shared().token_for(&arguments)
}

fn refused(reply: &Reply, status: u16, code: &str) {
    let body = reply.json();
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{body}");
    for member in ["error", "type", "title", "code", "request_id"] {
        assert!(body[member].is_string(), "{member} in {body}");
    }
    assert_eq!(body["status"], json!(status));
    assert_eq!(body["request_id"].as_str(), reply.header("sealgate-request-id"));
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
}

#[test]
fn without_a_token_a_request_is_refused_and_counted() {
    let _held = shared();
    let reply = shared().https().request("POST", INFER, &[], &shared().example());
    refused(&reply, 401, "token_missing");
    wait_until("the refusal is counted in the log", Duration::from_secs(10), || {
        shared()
            .records()
            .iter()
            .any(|r| r["type"] == "refused" && r["event"]["reason"] == "token_missing")
    });
}

#[test]
fn a_changed_token_is_refused() {
    let _held = shared();
    let mut token = shared().token();
    let last = token.pop().unwrap();
    token.push(if last == 'A' { 'B' } else { 'A' });
    // The last character holds unused bits too; a changed middle is wrong in any case.
    let middle = token.len() / 2;
    token.replace_range(middle..=middle, if &token[middle..=middle] == "x" { "y" } else { "x" });
    let reply = shared().https().post(INFER, &token, &shared().example());
    assert_eq!(reply.status, 401, "{}", reply.json());
    assert_eq!(reply.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

#[test]
fn a_token_in_the_query_or_in_two_headers_is_no_token() {
    let _held = shared();
    let (https, token) = (shared().https(), shared().token());
    let reply = https.request("GET", &format!("/v2?access_token={token}"), &[], &[]);
    refused(&reply, 401, "token_missing");
    let bearer = format!("Bearer {token}");
    let twice = [("Authorization", bearer.as_str()), ("Authorization", bearer.as_str())];
    assert_eq!(https.request("GET", "/v2", &twice, &[]).status, 401);
}

#[test]
fn a_caller_without_the_group_is_forbidden_on_the_record() {
    let _held = shared();
    let reply = shared().https().post(INFER, &token_without("group", &[]), &shared().example());
    refused(&reply, 403, "forbidden");
    let record = decision_of(&reply);
    assert_eq!(record["verdict"], "deny");
    assert_ne!(record["code"], "", "the record says why");
}

#[test]
fn a_caller_of_another_tenant_is_forbidden_on_the_record_with_another_reason() {
    let _held = shared();
    let other = token_without("tenant", &["--tenant", "lakeside-clinic"]);
    let reply = shared().https().post(INFER, &other, &shared().example());
    refused(&reply, 403, "forbidden");
    let group = shared().https().post(INFER, &token_without("group", &[]), &shared().example());
    assert_ne!(decision_of(&reply)["code"], decision_of(&group)["code"]);
}

#[test]
fn an_unknown_model_looks_exactly_like_a_forbidden_one() {
    let _held = shared();
    let token = token_without("group", &[]);
    let https = shared().https();
    let [known, unknown] = ["breast-cancer", "no-such-model"].map(|model| {
        let mut reply =
            https.post(&format!("/v2/models/{model}/infer"), &token, &shared().example());
        let mut body = reply.json();
        body["request_id"] = Value::Null;
        reply.body = body.to_string().into_bytes();
        // The receipt says what the body says, and is signed; tests/key_life.rs reads it.
        let own = ["sealgate-request-id", "date", RECEIPT_HEADER];
        reply.headers.retain(|(name, _)| !own.contains(&name.as_str()));
        reply
    });
    assert_eq!(known.status, unknown.status);
    assert_eq!(known.headers, unknown.headers);
    assert_eq!(String::from_utf8(known.body), String::from_utf8(unknown.body));
}

#[test]
fn the_allowed_caller_learns_nothing_of_unknown_models_either() {
    let _held = shared();
    let reply = shared().https().post(
        "/v2/models/no-such-model/infer",
        &shared().token(),
        &shared().example(),
    );
    refused(&reply, 403, "forbidden");
    assert_eq!(decision_of(&reply)["code"], "model_unknown");
}

#[test]
fn unknown_paths_and_methods_are_refused_with_their_own_codes() {
    let _held = shared();
    let (https, token) = (shared().https(), shared().token());
    refused(&https.get("/nothing-here", &token), 404, "not_found");
    refused(&https.post("/v2", &token, &[]), 405, "method_not_allowed");
}

#[test]
fn every_authenticated_request_leaves_a_record_whatever_its_path_and_method() {
    let _held = shared();
    let bearer = format!("Bearer {}", shared().token());
    let headers = [("Authorization", bearer.as_str())];
    for (method, path, status) in [
        ("GET", "/v2", 200),
        ("HEAD", "/v2", 200),
        ("POST", "/v2/models/%ff/infer", 403),
        ("GET", "/nothing", 404),
        ("OPTIONS", "/v2", 405),
    ] {
        let reply = shared().https().request(method, path, &headers, &[]);
        assert_eq!(reply.status, status, "{method} {path}");
        let record = decision_of(&reply);
        let verdict = if status == 200 { "allow" } else { "deny" };
        assert_eq!(record["verdict"], verdict, "{method} {path}");
        if path == "/v2" && status == 200 {
            assert_eq!(record["action"], "describe_server", "{method} {path}");
        }
        if status == 404 {
            refused(&reply, 404, "not_found");
        }
    }
}

#[test]
fn each_mistake_in_a_body_has_its_own_code_and_a_sentence() {
    let _held = shared();
    let (https, token) = (shared().https(), shared().token());
    let row = |n: usize| vec![1.5; n];
    let v2 = |shape: Value, data: Value| {
        json!({"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": data}]})
            .to_string()
    };
    let mut with_text = vec![json!(1.0); 30];
    with_text[4] = json!("3");
    let nan = v2(json!([1, 30]), json!(row(30))).replacen("1.5", "NaN", 1);
    let huge = v2(json!([1, 30]), json!(row(30))).replacen("1.5", "1e39", 1);
    for (body, status, code) in [
        ("{".to_owned(), 400, "body_not_json"),
        (v2(json!([1, 29]), json!(row(29))), 400, "row_length"),
        (v2(json!([2, 30]), json!(row(30))), 400, "shape_mismatch"),
        (json!({"inputs": []}).to_string(), 400, "input_missing"),
        (v2(json!([1, 30]), json!(with_text)), 400, "not_a_number"),
        (nan, 400, "not_finite"),
        (huge, 400, "not_finite"),
        (v2(json!([5000, 30]), json!(vec![1; 150_000])), 413, "too_many_rows"),
    ] {
        let reply = https.post(INFER, &token, body.as_bytes());
        refused(&reply, status, code);
    }
    let reply = https.post("/invocations", &token, json!({"x": row(29)}).to_string().as_bytes());
    refused(&reply, 400, "row_length");
}

#[test]
fn more_rows_than_announced_are_refused_by_the_worker() {
    let _held = shared();
    let bearer = format!("Bearer {}", shared().token());
    let body = json!({"x": vec![vec![1.5; 30]; 3]}).to_string();
    let headers = [("Authorization", bearer.as_str()), ("Sealgate-Rows", "2")];
    let reply = shared().https().request("POST", "/invocations", &headers, body.as_bytes());
    refused(&reply, 413, "too_many_rows");
    for rows in ["0", "-1", "1e3", "99999999999", ""] {
        let headers = [("Authorization", bearer.as_str()), ("Sealgate-Rows", rows)];
        let reply = shared().https().request("POST", "/invocations", &headers, body.as_bytes());
        refused(&reply, 400, "rows_header");
    }
}

#[test]
fn a_body_over_the_limit_is_refused_whole_and_on_the_record() {
    let _held = shared();
    let body = vec![b' '; (4 << 20) + 1];
    let reply = shared().https().post(INFER, &shared().token(), &body);
    refused(&reply, 413, "body_too_large");
    let verdict = decision_of(&reply)["verdict"].clone();
    assert_eq!(verdict, "allow", "the policy allowed what the limit refused");
}

#[test]
fn no_answer_invites_other_origins() {
    let _held = shared();
    let bearer = format!("Bearer {}", shared().token());
    let headers = [("Authorization", bearer.as_str()), ("Origin", "https://evil.example")];
    let reply = shared().https().request("GET", "/v2", &headers, &[]);
    assert!(reply.headers.iter().all(|(name, _)| !name.starts_with("access-control-")));
    let preflight = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")];
    let reply = shared().https().request("OPTIONS", INFER, &preflight, &[]);
    assert_eq!(reply.status, 401);
}

#[test]
fn a_forwarded_address_from_nobody_trusted_is_not_believed() {
    let _held = shared();
    let bearer = format!("Bearer {}", shared().token());
    let headers = [("Authorization", bearer.as_str()), ("X-Forwarded-For", "203.0.113.9")];
    let reply = shared().https().request("POST", INFER, &headers, &shared().example());
    assert_eq!(decision_of(&reply)["address"], "127.0.0.0/24");
}

#[test]
fn a_flood_of_unknown_callers_writes_a_bounded_record() {
    let _held = shared();
    let before = shared().records().len();
    let https = shared().https();
    let mut stream = https.connect();
    let request = b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for _ in 0..500 {
        use std::io::{Read, Write};
        stream.write_all(request).unwrap();
        let mut answer = [0; 4096];
        assert!(stream.read(&mut answer).unwrap() > 0);
    }
    wait_until("the flood is counted", Duration::from_secs(10), || {
        let counts = shared().records().into_iter().filter(|r| r["type"] == "refused");
        counts.map(|r| r["event"]["count"].as_u64().unwrap()).sum::<u64>() >= 500
    });
    let refusals = shared().records()[before..].iter().filter(|r| r["type"] == "refused").count();
    assert!(refusals < 50, "{refusals} records for 500 refusals");
}
