//! SIGTERM under load.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::scene::{INFER, Running, SOON, Scene};
use crate::support::{Reply, wait_until};

/// What clients got, by the request's id.
#[derive(Default)]
struct Answers {
    ids: Mutex<BTreeSet<String>>,
    count: AtomicUsize,
}

impl Answers {
    fn note(&self, reply: &Reply) {
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let id = reply.header("sealgate-request-id").unwrap().to_owned();
        self.ids.lock().unwrap().insert(id);
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks again and again over one connection, until it ends.
fn keep_asking(running: &Running<'_>, answers: &Answers, over: &AtomicBool) {
    let example = &running.scene.example;
    let head = format!(
        "POST {INFER} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        running.scene.token,
        example.len()
    );
    let request = [head.as_bytes(), example].concat();
    let mut stream = running.gateway.https().connect();
    while !over.load(Ordering::Relaxed) {
        if stream.write_all(&request).and_then(|()| stream.flush()).is_err() {
            return;
        }
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        let reply = loop {
            match stream.read(&mut part) {
                Ok(read @ 1..) => answer.extend_from_slice(&part[..read]),
                _ if answer.is_empty() => return,
                other => panic!("half an answer, then {other:?}"),
            }
            let Some(reply) = Reply::parse(&answer) else { continue };
            if reply.header("content-length") == Some(&reply.body.len().to_string()) {
                break reply;
            }
        };
        answers.note(&reply);
    }
}

#[test]
fn every_request_that_was_read_before_a_stop_is_answered_with_its_record() {
    let scene = Scene::new("", "[edge.limits]\ndrain_timeout_ms = 20000");
    let running = scene.start();
    let worker = {
        let standing = running.gateway.admin().get("/v1/admin/standing", &scene.operator).json();
        Pid::from_raw(i32::try_from(standing["workers"][0]["pid"].as_i64().unwrap()).unwrap())
    };
    let (answers, over) = (Answers::default(), AtomicBool::new(false));
    let address = running.gateway.https().url().strip_prefix("https://").unwrap().to_owned();
    let begun = thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| keep_asking(&running, &answers, &over));
        }
        wait_until("there is load", SOON, || answers.count.load(Ordering::Relaxed) > 100);
        // Each of them has a request with the worker when the gateway is told to stop.
        kill(worker, Signal::SIGSTOP).unwrap();
        wait_until("all of them wait", SOON, || {
            let pools = running.gateway.admin().get("/v1/admin/pools", &scene.operator).json();
            pools["pools"][0]["in_flight"] == 6
        });
        running.gateway.signal(Signal::SIGTERM);
        let begun = Instant::now();
        wait_until("the admin listener says that it drains", SOON, || {
            running.readiness() == (503, vec!["draining".to_owned()])
        });
        wait_until("new connections are refused", SOON, || TcpStream::connect(&address).is_err());
        kill(worker, Signal::SIGCONT).unwrap();
        begun
    });
    over.store(true, Ordering::Relaxed);
    running.gateway.stop();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());

    let records = scene.stopped.records();
    // The demo that made the state has asked, too.
    let begin = records.iter().rposition(|record| record["type"] == "started").unwrap();
    let records = &records[begin..];
    let ids = |kind: &str| -> BTreeSet<String> {
        let about = records.iter().filter(|record| record["type"] == kind);
        let rows = about.filter(|record| kind == "outcome" || record["event"]["action"] == "infer");
        rows.map(|record| record["event"]["request_id"].as_str().unwrap().to_owned()).collect()
    };
    let answered = answers.ids.lock().unwrap();
    assert_eq!(ids("decision").symmetric_difference(&answered).count(), 0, "decided and answered");
    let outcomes = ids("outcome");
    assert_eq!(answered.difference(&outcomes).count(), 0, "answers without an outcome");
    let gone = records.iter().filter(|record| record["event"]["code"] == "client_gone");
    assert_eq!(gone.count(), 0);
    assert!(records.iter().any(|record| record["type"] == "stopped"));
}

#[test]
fn a_stop_does_not_wait_longer_than_its_deadline() {
    let scene = Scene::new("", "[edge.limits]\ndrain_timeout_ms = 500");
    let running = scene.start();
    let standing = running.gateway.admin().get("/v1/admin/standing", &scene.operator).json();
    let worker =
        Pid::from_raw(i32::try_from(standing["workers"][0]["pid"].as_i64().unwrap()).unwrap());
    kill(worker, Signal::SIGSTOP).unwrap();
    thread::scope(|scope| {
        let https = running.gateway.https();
        scope.spawn(|| {
            let bearer = format!("Bearer {}", scene.token);
            let headers = [("Authorization", bearer.as_str())];
            https.try_request("POST", INFER, &headers, &scene.example)
        });
        wait_until("it waits", SOON, || {
            let pools = running.gateway.admin().get("/v1/admin/pools", &scene.operator).json();
            pools["pools"][0]["in_flight"] == 1
        });
        running.gateway.signal(Signal::SIGTERM);
    });
    let begun = Instant::now();
    running.gateway.stop();
    // The worker is given two seconds to end by itself.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}
