//! Traces: continued, exported over TLS, and never at a request's cost.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::collector::Collector;
use crate::scene::{INFER, SOON, Scene};
use crate::support::{claims, wait_until};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const MARK: &str = "8675309421337";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-00f067aa0ba902b7-{flags}")
}

fn exporting(endpoint: &str, ca_file: Option<&str>) -> Scene {
    let ca_file = ca_file.map(|file| format!("ca_file = \"{file}\"")).unwrap_or_default();
    Scene::new("", &format!("[trace]\nendpoint = \"{endpoint}\"\nsample_ratio = 1.0\n{ca_file}"))
}

#[test]
fn spans_hold_what_the_record_says_and_nothing_that_a_caller_wrote() {
    let scene = Scene::new("", "");
    let tls = scene.stopped.state.path().join("tls");
    let collector = Collector::start(&tls);
    scene.stopped.change("gateway.toml", |text| {
        let endpoint = format!("https://localhost:{}/v1/traces", collector.port());
        let ca_file = tls.join("ca.pem");
        format!("{text}\n[trace]\nendpoint = \"{endpoint}\"\nca_file = {ca_file:?}\nsample_ratio = 1.0\n")
    });
    let running = scene.start();
    let own = traceparent("01");
    let state = format!("a={MARK}");
    let headers = [("traceparent", own.as_str()), ("tracestate", &state), ("X-Canary", MARK)];
    let reply = running.ask_about(&format!("17.{MARK}"), &headers);
    assert_eq!(reply.status, 200);
    let passed_on = reply.header("traceparent").unwrap().to_owned();
    let https = running.gateway.https();
    https.post(&format!("/v2/models/{MARK}/infer?{MARK}"), &scene.token, &scene.example);
    https.post(&format!("{INFER}?{MARK}"), &scene.token, MARK.as_bytes());
    wait_until("three requests are told", SOON, || spans(&collector).len() >= 3);
    wait_until("and counted", SOON, || {
        running.scrape().contains("\nsealgate_trace_spans_total{result=\"sent\"} 3\n")
    });

    let spans = spans(&collector);
    let ours = spans.iter().find(|span| span["traceId"] == TRACE && span["kind"] == 2).unwrap();
    assert_eq!(ours["parentSpanId"], "00f067aa0ba902b7");
    assert_eq!(passed_on, format!("00-{TRACE}-{}-01", ours["spanId"].as_str().unwrap()));
    let id = reply.header("sealgate-request-id").unwrap();
    assert_eq!(attribute(ours, "sealgate.request_id"), id);
    assert_eq!(attribute(ours, "sealgate.model"), "breast-cancer");
    assert_eq!(attribute(ours, "sealgate.code"), "ok");
    assert_eq!(attribute(ours, "sealgate.rows"), "1");

    let all = collector.taken().concat();
    let all = String::from_utf8_lossy(&all);
    let claims = claims(&scene.token);
    let [subject, tenant] = ["sub", "tenant"].map(|name| claims[name].as_str().unwrap().to_owned());
    for forbidden in [MARK, &scene.token, &tenant, &format!("\"{subject}\""), "authorization"] {
        assert!(!all.contains(forbidden), "the collector was sent `{forbidden}`");
    }
}

#[test]
fn a_trace_is_continued_and_passed_on_also_when_nothing_is_exported() {
    let scene = Scene::new("", "");
    let running = scene.start();
    let own = traceparent("01");
    let reply = running.ask_about("1", &[("traceparent", &own)]);
    let passed_on = reply.header("traceparent").unwrap();
    assert!(passed_on.starts_with(&format!("00-{TRACE}-")), "{passed_on}");
    assert!(passed_on.ends_with("-00"), "nothing is told of it: {passed_on}");
    for malformed in ["", "00-0-0-00", &own.to_uppercase()] {
        let reply = running.ask_about("1", &[("traceparent", malformed)]);
        assert_eq!((reply.status, reply.header("traceparent")), (200, None), "{malformed}");
    }
}

#[test]
fn a_collector_that_is_gone_or_silent_costs_requests_nothing() {
    let silent = Collector::silent();
    for port in [9, silent.port()] {
        let scene = exporting(&format!("http://127.0.0.1:{port}/v1/traces"), None);
        let running = scene.start();
        let begun = Instant::now();
        for _ in 0..50 {
            let one = Instant::now();
            assert_eq!(running.ask().status, 200);
            assert!(one.elapsed() < Duration::from_secs(2), "one request took {:?}", one.elapsed());
        }
        let took = begun.elapsed();
        wait_until("it is known that spans were lost", SOON, || {
            let text = running.scrape();
            let failed = text.lines().find_map(|line| {
                line.strip_prefix("sealgate_trace_spans_total{result=\"failed\"} ")
            });
            failed.is_some_and(|count| count != "0")
        });
        let stopping = Instant::now();
        let log = running.gateway.stop();
        assert!(stopping.elapsed() < Duration::from_secs(8), "{:?}", stopping.elapsed());
        assert!(took < Duration::from_secs(20), "{took:?}");
        assert_eq!(log.matches("the collector takes no traces").count(), 1, "{log}");
    }
}

#[test]
fn a_strangers_collector_is_sent_nothing() {
    let scene = Scene::new("", "");
    let collector = Collector::start(&scene.stopped.state.path().join("tls"));
    let endpoint = format!("https://localhost:{}/", collector.port());
    // Without `ca_file` the operating system's authorities count, and none of them knows it.
    let scene = exporting(&endpoint, None);
    let running = scene.start();
    assert_eq!(running.ask().status, 200);
    wait_until("it is refused", SOON, || {
        running.scrape().contains("\nsealgate_trace_spans_total{result=\"failed\"} 1\n")
    });
    assert!(collector.taken().is_empty());
}

/// Requests' own spans, with those below them.
fn told(collector: &Collector) -> Vec<Value> {
    let bodies = collector.taken();
    let bodies = bodies.iter().map(|request| {
        let end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        serde_json::from_slice::<Value>(&request[end..]).unwrap()
    });
    let spans = |body: Value| {
        body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    };
    bodies.flat_map(spans).collect()
}

/// Requests' own spans.
fn spans(collector: &Collector) -> Vec<Value> {
    told(collector).into_iter().filter(|span| span["kind"] == 2).collect()
}

fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("{key}"));
    let value = &found["value"];
    value["stringValue"].as_str().or(value["intValue"].as_str()).unwrap().to_owned()
}
