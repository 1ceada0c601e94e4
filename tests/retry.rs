//! A request that its worker provably did not begin with is sealed anew, once, and nothing is taken
//! twice for it. What a client sealed is never sent again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/process.rs"]
mod process;
#[path = "support/sealed.rs"]
mod sealed;
mod support;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use process::{PATIENCE, Paused};
use sealgate_keys::ohttp::Kem;
use serde_json::Value;
use support::{Demo, Reply, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
const REQUESTS: usize = 8;
#[test]
fn a_request_that_the_worker_turned_away_is_sealed_anew_once_and_charged_once() {
    let scene = Scene::start();
    let replies = scene.crowd(|demo| demo.https().post(INFER, &demo.token(), &demo.example()));
    // Outcomes are written beside answers.
    wait_until("all outcomes", PATIENCE, || {
        let records = scene.demo.records();
        let outcomes = by_request(&records, "outcome");
        let id = |reply: &Reply| reply.header("sealgate-request-id").unwrap().to_owned();
        replies.iter().all(|reply| outcomes.contains_key(&*id(reply)))
    });
    let records = scene.demo.records();
    let of = |kind: &str| by_request(&records, kind);
    let (decisions, retried, outcomes) = (of("decision"), of("retried"), of("outcome"));
    let mut answered_anew = 0;
    for reply in &replies {
        let id = reply.header("sealgate-request-id").unwrap();
        let tries = retried.get(id).map_or(&[][..], Vec::as_slice);
        assert!(tries.len() <= 1, "sealed anew {} times", tries.len());
        assert_eq!((decisions[id].len(), outcomes[id].len()), (1, 1), "reserved and settled once");
        let (decision, outcome) = (decisions[id][0], outcomes[id][0]);
        match reply.status {
            200 => assert_eq!(outcome["event"]["rows"], 1),
            503 => {
                assert_eq!((reply.code().as_str(), tries.len()), ("worker_busy", 1));
                assert_eq!(outcome["event"]["rows"], 0, "nothing is taken for it");
            }
            other => panic!("{other}: {}", reply.code()),
        }
        if let [again] = tries {
            assert_eq!(again["event"]["why"], "busy");
            assert!(again["event"]["keyset_digest"].is_string(), "the worker that turned it away");
            assert!(again["event"]["grant_valid_ms"].as_u64().unwrap() <= 30_000);
            let n = |record: &Value| record["n"].as_u64().unwrap();
            assert!(n(decision) < n(again) && n(again) < n(outcome), "on record before it is sent");
            answered_anew += usize::from(reply.status == 200);
        }
    }
    assert!(answered_anew >= 1, "nobody was answered by the second try");
    let story = retried.keys().next().unwrap();
    let told = support::sealgate(&["audit", "show", scene.demo.fact("audit"), story]);
    assert!(support::stdout(&told).contains("it was sealed anew, under another grant"));
}

#[test]
fn what_a_client_sealed_is_never_sent_again() {
    let scene = Scene::start();
    let list = sealed::key_list(&scene.demo.https(), &scene.demo.token());
    let replies = scene.crowd(|demo| {
        let inner = sealed::inner(&demo.example());
        let (sealed, _) = sealed::sealed(&list, Kem::X25519, &inner);
        sealed::post(&demo.https(), &demo.token(), &sealed)
    });
    let busy = replies.iter().filter(|reply| reply.status == 503);
    assert!(busy.map(|reply| assert_eq!(reply.code(), "worker_busy")).count() >= 1);
    assert!(by_request(&scene.demo.records(), "retried").is_empty());
}

/// A demo whose worker has one thread, and room for one request beside.
struct Scene {
    demo: Demo,
}

impl Scene {
    fn start() -> Self {
        let stopped = Demo::start().stop();
        let narrow = "threads = 1\nqueue_requests_max = 1\n";
        stopped.change("worker.toml", |config| narrow.to_owned() + config);
        Self { demo: Demo::start_in(stopped.state) }
    }

    /// Many requests that the worker finds all at once.
    fn crowd(&self, ask: impl Fn(&Demo) -> Reply + Sync) -> Vec<Reply> {
        let decided = || self.demo.records().iter().filter(|r| r["type"] == "decision").count();
        let before = decided();
        let paused = Paused::new(self.demo.worker_pids()[0]);
        thread::scope(|scope| {
            let asking: Vec<_> = (0..REQUESTS).map(|_| scope.spawn(|| ask(&self.demo))).collect();
            wait_until("all are decided", PATIENCE, || decided() >= before + REQUESTS);
            // On record a moment before it is sent.
            thread::sleep(Duration::from_millis(100));
            drop(paused);
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        })
    }
}

fn by_request<'a>(records: &'a [Value], kind: &str) -> BTreeMap<&'a str, Vec<&'a Value>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in records.iter().filter(|record| record["type"] == kind) {
        let id = record["event"]["request_id"].as_str().unwrap();
        found.entry(id).or_default().push(record);
    }
    found
}
