//! What one caller or one tenant may ask: rates, requests in flight, rows per day and month.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/sealed.rs"]
mod sealed;
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use sealed::{INFER, inner, key_list};
use sealgate_keys::ohttp::Kem;
use serde_json::{Value, json};
use support::{Demo, Gateway, Https, Reply, Stopped, wait_until};

#[test]
fn exactly_a_days_rows_pass_sixteen_connections_that_announce_them() {
    let scene = Scene::start("rows_max = 64\nrows_per_day = 1000");
    let passed = scene.race(16, 20, |https| post(https, &scene.token, &scene.rows(8), Some(8)));
    assert_eq!(passed * 8, 1000);
    let refused = scene.post(1, Some(1));
    assert_eq!((refused.status, refused.code().as_str()), (429, "limit_rows_per_day"));
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((2..=86_400).contains(&wait), "{wait}");
    let denied = scene.decision(&refused);
    assert_eq!(
        (&denied["verdict"], &denied["code"]),
        (&json!("deny"), &json!("limit_rows_per_day"))
    );
    assert_eq!(denied["rules"], json!(["clinicians-infer"]));
}

#[test]
fn never_more_than_a_days_rows_pass_those_who_do_not_announce_them() {
    let scene = Scene::start("rows_max = 64\nrows_per_day = 1000");
    let passed = scene.race(16, 20, |https| post(https, &scene.token, &scene.rows(8), None));
    assert!(passed * 8 <= 1000, "{passed} requests");
    // Each reserves 64: without being settled, 15 would have used up the day.
    assert!(passed > 60, "{passed} requests");
    // What is left passes when it is announced: reservations were settled, to the row.
    let left = 1000 - passed * 8;
    let rest = (0..).take_while(|_| scene.post(8, Some(8)).status == 200).count();
    assert_eq!(u32::try_from(rest).unwrap() * 8, left);
}

#[test]
fn a_gateway_that_is_killed_and_started_anew_lets_no_more_rows_pass() {
    let mut scene = Scene::start("rows_max = 64\nrows_per_day = 1000");
    let passed = AtomicU32::new(0);
    let gateway = scene.gateway.take().unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            let https = gateway.https().clone();
            let (scene, passed) = (&scene, &passed);
            scope.spawn(move || {
                while let Some(reply) = try_post(&https, &scene.token, &scene.rows(8), 8) {
                    if reply.status != 200 {
                        return;
                    }
                    passed.fetch_add(8, Ordering::Relaxed);
                }
            });
        }
        wait_until("some have passed", Duration::from_secs(60), || {
            passed.load(Ordering::Relaxed) >= 240
        });
        // SIGKILL, in the middle of it.
        drop(gateway);
    });
    let before = passed.load(Ordering::Relaxed);
    scene.gateway = Some(Gateway::start(&scene.stopped));
    let after = scene.race(8, 130, |https| post(https, &scene.token, &scene.rows(8), Some(8))) * 8;
    let total = before + after;
    assert!(before < 1000 && total <= 1000, "{before} and {after}");
    // One lease of 15 rows, and what was in flight when it was killed.
    assert!(total >= 1000 - 15 - 8 * 8 - 7, "{before} and {after}");
}

#[test]
fn a_clean_restart_costs_no_row() {
    let mut scene = Scene::start("rows_max = 64\nrows_per_day = 100");
    assert_eq!(scene.post(30, None).status, 200);
    scene.gateway.take().unwrap().stop();
    scene.gateway = Some(Gateway::start(&scene.stopped));
    assert_eq!(scene.post(50, Some(50)).status, 200);
    assert_eq!(scene.post(20, Some(20)).status, 200);
    assert_eq!(scene.post(1, Some(1)).code(), "limit_rows_per_day");
}

#[test]
fn who_waits_as_long_as_a_refusal_for_the_rate_says_passes() {
    let scene = Scene::start("rows_max = 64\nrate_per_minute = 30\nburst = 2");
    assert_eq!([scene.post(1, None).status, scene.post(1, None).status], [200, 200]);
    let refused = scene.post(1, None);
    assert_eq!((refused.status, refused.code().as_str()), (429, "limit_rate"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    thread::sleep(Duration::from_secs(wait));
    assert_eq!(scene.post(1, None).status, 200);
    assert!(scene.decision(&refused)["code"] == "limit_rate");
}

#[test]
fn one_request_more_than_a_caller_may_have_in_flight_is_refused() {
    let scene = Scene::start("rows_max = 64\nconcurrent_max = 1");
    let mut held = scene.begin();
    wait_until("the first is in flight", Duration::from_secs(20), || {
        // The question itself may have come first, and then the other one has been refused.
        thread::sleep(Duration::from_millis(200));
        let is_there = scene.post(1, None).code() == "limit_concurrent";
        if !is_there {
            held = scene.begin();
        }
        is_there
    });
    let refused = scene.post(1, None);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    held.0.write_all(&held.1).unwrap();
    held.0.flush().unwrap();
    let mut answer = Vec::new();
    let _ = held.0.read_to_end(&mut answer);
    assert_eq!(Reply::parse(&answer).unwrap().status, 200);
    assert_eq!(scene.post(1, None).status, 200);
}

#[test]
fn a_budget_is_shared_by_the_callers_of_a_tenant_and_by_nobody_else() {
    let scene = Scene::start("rows_max = 64\ntenant_rows_per_month = 10");
    let ask = |token: &str, rows: u32| post(&scene.https(), token, &scene.rows(rows), Some(rows));
    assert_eq!(ask(&scene.token, 6).status, 200);
    let refused = ask(&scene.colleague, 6);
    assert_eq!((refused.status, refused.code().as_str()), (429, "limit_budget"));
    assert_eq!(ask(&scene.colleague, 4).status, 200);
    assert_eq!(ask(&scene.elsewhere, 6).status, 200);
}

#[test]
fn what_a_client_seals_is_counted_and_settled_like_everything_else() {
    let scene = Scene::start("rows_max = 64\nrows_per_day = 100");
    let https = scene.https();
    let list = key_list(&https, &scene.token);
    for _ in 0..10 {
        let (message, _opener) = sealed::sealed(&list, Kem::X25519, &inner(&scene.rows(2)));
        assert_eq!(sealed::post(&https, &scene.token, &message).status, 200);
    }
    let spoilt = sealed::post(&https, &scene.token, b"nobody opens this");
    assert_eq!(spoilt.status, 400, "and what nobody opens costs nothing");
    assert_eq!(scene.post(81, Some(81)).code(), "too_many_rows");
    assert_eq!(scene.post(60, Some(60)).status, 200);
    assert_eq!(scene.post(21, Some(21)).code(), "limit_rows_per_day");
    assert_eq!(scene.post(20, Some(20)).status, 200);
}

#[test]
fn a_store_that_another_process_uses_is_refused() {
    let scene = Scene::start("rows_max = 64");
    let config = scene.stopped.state.path().join("second.toml");
    let text = std::fs::read_to_string(scene.stopped.state.path().join("gateway.toml")).unwrap();
    let audit = scene.stopped.fact("audit");
    let second =
        text.replace(&json!(audit).to_string(), &json!(format!("{audit}-second")).to_string());
    // A log of its own has a copy of its checkpoint of its own.
    let copy = second.lines().find(|line| line.starts_with("checkpoint_copy")).unwrap();
    let second = second.replace(copy, "");
    let store = json!(format!("{audit}-limits"));
    std::fs::write(&config, format!("{second}\n[limits]\nstore = {store}\n")).unwrap();
    let output = std::process::Command::new(support::binary("sealgate-gateway"))
        .args(["--config", config.to_str().unwrap()])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("is in use by another process"), "{told}");
}

/// Each profile, and what becomes of a score.
#[test]
fn an_answer_holds_no_more_than_the_release_profile_lets_through() {
    let mut scene = Scene::start("rows_max = 64");
    let full = scores(&scene.post(2, None));
    assert!(full.iter().any(|score| ![0.0, 1.0].contains(score)));
    let cut: [(&str, Cut); 3] = [
        ("label", f64::round),
        ("rounded", |score| (score * 100.0).round() / 100.0),
        ("deciles", |score| ((score * 10.0).floor().min(9.0) + 0.5) / 10.0),
    ];
    for (profile, cut) in cut {
        scene.gateway.take().unwrap().stop();
        let rules = scene.stopped.state.path().join("policies/rules/clinicians.cedar");
        let text = std::fs::read_to_string(&rules).unwrap();
        let (before, after) = text.split_once("@release(\"").unwrap();
        let (_, after) = after.split_once('"').unwrap();
        std::fs::write(&rules, format!("{before}@release(\"{profile}\"{after}")).unwrap();
        scene.gateway = Some(Gateway::start(&scene.stopped));
        for (found, full) in scores(&scene.post(2, None)).into_iter().zip(&full) {
            assert!((found - cut(*full)).abs() < 1e-6, "{profile}: {full} became {found}");
        }
    }
}

/// A gateway whose clinicians have one limit profile, and tokens of three of them.
struct Scene {
    gateway: Option<Gateway>,
    stopped: Stopped,
    token: String,
    /// Of the same tenant.
    colleague: String,
    /// Of another tenant.
    elsewhere: String,
    row: Vec<Value>,
}

impl Scene {
    fn start(limits: &str) -> Self {
        let demo = Demo::start();
        let token_for = |leave_out: &[&str], more: &[&str]| {
            let claims = demo.allowed_claims(leave_out);
            let claims: Vec<&str> =
                claims.iter().map(String::as_str).chain(more.iter().copied()).collect();
            demo.token_for(&claims)
        };
        let colleague = token_for(&["subject"], &["--subject", "a-colleague"]);
        let elsewhere = token_for(&["tenant"], &["--tenant", "lakeside-clinic"]);
        let (token, example) = (demo.token(), demo.example());
        let example: Value = serde_json::from_slice(&example).unwrap();
        let mut numbers = Vec::new();
        flatten(&example["inputs"][0]["data"], &mut numbers);
        numbers.truncate(30);
        let stopped = demo.stop();
        stopped.without_policy_tests();
        stopped.change("policies/limits.toml", |text| {
            let trial = text.split_once("[limits.trial]").unwrap().1;
            format!("[limits.clinic]\n{limits}\n\n[limits.trial]{trial}")
        });
        // Here two tenants use one model.
        std::fs::remove_file(stopped.state.path().join("policies/rules/tenants.cedar")).unwrap();
        let gateway = Some(Gateway::start(&stopped));
        Self { gateway, stopped, token, colleague, elsewhere, row: numbers }
    }

    fn https(&self) -> Https {
        self.gateway.as_ref().unwrap().https().clone()
    }

    /// A request for so many rows.
    fn rows(&self, count: u32) -> Vec<u8> {
        let data: Vec<&Value> = (0..count).flat_map(|_| &self.row).collect();
        let input = json!({"name": "x", "shape": [count, 30], "datatype": "FP32", "data": data});
        json!({"inputs": [input]}).to_string().into_bytes()
    }

    fn post(&self, rows: u32, announced: Option<u32>) -> Reply {
        post(&self.https(), &self.token, &self.rows(rows), announced)
    }

    /// How many requests pass when so many threads send so many each.
    fn race(&self, threads: u32, each: u32, send: impl Fn(&Https) -> Reply + Sync) -> u32 {
        let passed = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let https = self.https();
                    for _ in 0..each {
                        let reply = send(&https);
                        assert!([200, 429].contains(&reply.status), "{}", reply.code());
                        passed.fetch_add(u32::from(reply.status == 200), Ordering::Relaxed);
                    }
                });
            }
        });
        passed.into_inner()
    }

    /// The decision's record.
    fn decision(&self, reply: &Reply) -> Value {
        let id = json!(reply.header("sealgate-request-id").expect("an id"));
        let mut records = self.stopped.records().into_iter();
        let record = records.find(|r| r["type"] == "decision" && r["event"]["request_id"] == id);
        record.expect("a decision")["event"].take()
    }

    /// Sends all of a request but its last byte.
    fn begin(&self) -> (StreamOwned<ClientConnection, TcpStream>, Vec<u8>) {
        let body = self.rows(1);
        let head = format!(
            "POST {INFER} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.token,
            body.len()
        );
        let (now, rest) = body.split_at(body.len() - 1);
        let mut stream = self.https().connect();
        stream.write_all(&[head.as_bytes(), now].concat()).unwrap();
        stream.flush().unwrap();
        (stream, rest.to_vec())
    }
}

fn post(https: &Https, token: &str, body: &[u8], announced: Option<u32>) -> Reply {
    let (bearer, rows) = (format!("Bearer {token}"), announced.map(|rows| rows.to_string()));
    let mut headers =
        vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    headers.extend(rows.as_deref().map(|rows| ("Sealgate-Rows", rows)));
    https.request("POST", INFER, &headers, body)
}

/// The same where the gateway may be gone.
fn try_post(https: &Https, token: &str, body: &[u8], rows: u32) -> Option<Reply> {
    let (bearer, rows) = (format!("Bearer {token}"), rows.to_string());
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Sealgate-Rows", rows.as_str()),
    ];
    https.try_request("POST", INFER, &headers, body)
}

/// The numbers of an answer.
fn scores(reply: &Reply) -> Vec<f64> {
    assert_eq!(reply.status, 200, "{}", reply.code());
    let mut numbers = Vec::new();
    flatten(&reply.json()["outputs"][0]["data"], &mut numbers);
    numbers.iter().map(|number| number.as_f64().unwrap()).collect()
}

fn flatten(value: &Value, numbers: &mut Vec<Value>) {
    match value.as_array() {
        Some(values) => values.iter().for_each(|value| flatten(value, numbers)),
        None => numbers.push(value.clone()),
    }
}

/// What is left of a score.
type Cut = fn(f64) -> f64;
