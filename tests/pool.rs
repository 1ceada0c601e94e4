//! Workers that come and go with the load, fail, and are kept apart.

#![allow(clippy::print_stdout, reason = "how many answers there were belongs into the report")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::{Demo, Gateway, Reply, Stopped, binary, sealgate, stdout, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
const KEYS: &str = "/v1/models/breast-cancer/ohttp-keys";
const SOON: Duration = Duration::from_secs(60);
/// Windows so short that a test need not wait for minutes.
const QUICK: &str = "tick_ms = 100, panic_window_ms = 200, stable_window_ms = 800";

/// A gateway whose workers are scaled as a test says.
struct Scene {
    stopped: Stopped,
    token: String,
    colleague: String,
    operator: String,
    example: Vec<u8>,
}

impl Scene {
    /// `settings` stand in the model's table.
    fn new(settings: &str) -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let colleague = demo.allowed_claims(&["subject"]);
        let colleague: Vec<_> = colleague.iter().map(String::as_str).collect();
        let colleague = demo.token_for(&[&colleague[..], &["--subject", "colleague"]].concat());
        let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
        let stopped = demo.stop();
        stopped.change("gateway.toml", |text| {
            text.replace("[[models]]", &format!("[[models]]\n{settings}"))
        });
        Self { stopped, token, colleague, operator, example }
    }

    fn start(&self) -> Running<'_> {
        let gateway = Gateway::start(&self.stopped);
        let running = Running { scene: self, gateway };
        wait_until("an answer", SOON, || running.ask(&self.token).status == 200);
        running
    }
}

struct Running<'a> {
    scene: &'a Scene,
    gateway: Gateway,
}

impl Running<'_> {
    fn ask(&self, token: &str) -> Reply {
        self.gateway.https().post(INFER, token, &self.scene.example)
    }

    /// Pools of the demo's model, that for everybody first.
    fn pools(&self) -> Vec<Value> {
        let reply = self.gateway.admin().get("/v1/admin/pools", &self.scene.operator);
        reply.json()["pools"].as_array().unwrap().clone()
    }

    fn ready(&self) -> u64 {
        self.pools()[0]["ready"].as_u64().unwrap()
    }

    fn worker_pids(&self) -> Vec<i32> {
        let reply = self.gateway.admin().get("/v1/admin/standing", &self.scene.operator);
        let workers = reply.json()["workers"].as_array().unwrap().clone();
        workers.iter().map(|one| i32::try_from(one["pid"].as_i64().unwrap()).unwrap()).collect()
    }

    /// The one worker there is.
    fn only_worker(&self) -> Pid {
        let mut pids = Vec::new();
        wait_until("one worker", SOON, || {
            pids = self.worker_pids();
            pids.len() == 1
        });
        Pid::from_raw(pids[0])
    }
}

/// A request of many rows, so that a worker has something to do.
fn many_rows(example: &[u8], count: usize) -> Vec<u8> {
    let mut request: Value = serde_json::from_slice(example).unwrap();
    let tensor = &mut request["inputs"][0];
    let row = tensor["data"].as_array().unwrap().clone();
    tensor["shape"][0] = json!(count);
    tensor["data"] = Value::Array(row.iter().cycle().take(row.len() * count).cloned().collect());
    serde_json::to_vec(&request).unwrap()
}

#[test]
fn nobody_asking_ends_the_last_worker_and_whoever_asks_then_starts_one() {
    let scene =
        Scene::new(&format!("scaling = {{ min = 0, max = 2, {QUICK}, idle_grace_ms = 300 }}"));
    let running = scene.start();
    wait_until("no worker", SOON, || running.worker_pids().is_empty());
    let https = running.gateway.https();
    assert_eq!(https.get("/v2/health/ready", "").status, 200, "it would answer");

    let begun = Instant::now();
    let reply = running.ask(&scene.token);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    println!("the request that started a worker took {:?}", begun.elapsed());
    assert_eq!(running.worker_pids().len(), 1);
    wait_until("no worker again", SOON, || running.worker_pids().is_empty());

    assert_eq!(https.get(KEYS, &scene.token).status, 200, "keys are a reason too");
    assert_eq!(running.worker_pids().len(), 1);
}

#[test]
fn a_model_that_clients_seal_to_keeps_a_worker() {
    let scene = Scene::new(&format!("scaling = {{ max = 2, {QUICK}, idle_grace_ms = 0 }}"));
    let running = scene.start();
    let worker = running.only_worker();
    let decided = |running: &Running<'_>| running.pools()[0]["history"].as_array().unwrap().len();
    let before = decided(&running);
    wait_until("thirty decisions", SOON, || decided(&running) >= before + 30);
    assert_eq!(running.only_worker(), worker);
}

#[test]
fn a_burst_brings_workers_its_end_takes_them_and_no_request_is_lost() {
    let scene = Scene::new(&format!(
        "scaling = {{ min = 0, max = 3, in_flight_per_worker = 2, {QUICK}, idle_grace_ms = 300 }}"
    ));
    let running = scene.start();
    wait_until("no worker", SOON, || running.worker_pids().is_empty());
    let body = many_rows(&scene.example, 256);
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let reply = running.gateway.https().post(INFER, &scene.token, &body);
                    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        wait_until("three workers", SOON, || running.ready() == 3);
        over.store(true, Ordering::Relaxed);
    });
    wait_until("no worker", SOON, || running.worker_pids().is_empty());
    let pool = &running.pools()[0];
    let history = pool["history"].as_array().unwrap();
    assert!(history.iter().any(|moment| moment["panicking"] == true), "{history:?}");
    assert!(history.iter().any(|moment| moment["ratio"].as_f64().is_some_and(|r| r > 0.0)));
    assert!(history.iter().all(|moment| moment["wanted"].as_u64().unwrap() <= 3));
    let metrics = running.gateway.admin().get("/metrics", &scene.operator);
    let metrics = String::from_utf8(metrics.body).unwrap();
    let none = "sealgate_workers{model=\"breast-cancer\",version=\"1\",state=\"ready\"} 0\n";
    assert!(metrics.contains(none), "{metrics}");
    println!("{} requests were answered", answered.into_inner());
}

#[test]
fn tenants_with_workers_of_their_own_share_no_process_and_no_key() {
    let scene = Scene::new("replicas = 1");
    scene.stopped.without_policy_tests();
    scene.stopped.change("policies/models.toml", |text| {
        text.replace("[models.breast-cancer]", "[models.breast-cancer]\nworkers = \"per-tenant\"")
    });
    let rules = scene.stopped.state.path().join("policies/rules");
    let apart = fs::read_dir(&rules).unwrap().map(|entry| entry.unwrap().path());
    let apart: Vec<_> = apart
        .filter(|path| fs::read_to_string(path).unwrap().contains("@id(\"tenants-stay-apart\")"))
        .collect();
    let [apart] = apart.as_slice() else { panic!("{apart:?}") };
    fs::remove_file(apart).unwrap();
    let state = scene.stopped.state.path().to_str().unwrap();
    let nurse = ["--subject", "nurse", "--group", "clinicians", "--scope", "infer"];
    let arguments = [&["token", "--state", state, "--tenant", "lakeside-clinic"], &nurse[..]];
    let other = stdout(&sealgate(&arguments.concat())).trim().to_owned();
    let running = scene.start();
    let reply = running.ask(&other);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));

    let pools = running.pools();
    let tenants: BTreeSet<_> = pools.iter().filter_map(|pool| pool["tenant"].as_str()).collect();
    assert_eq!(tenants, BTreeSet::from(["general-hospital", "lakeside-clinic"]));
    assert_eq!(running.worker_pids().len(), 3, "one each, and the one that tried the artifact");
    let keys = |token: &str| running.gateway.https().get(KEYS, token).body;
    let (own, theirs) = (keys(&scene.token), keys(&other));
    assert_ne!(own, theirs);
    // The first byte of a sealed request is the id of its key.
    let sealed = |list: &[u8]| {
        let list = sealgate_keys::ohttp::KeyList::decode(list).unwrap();
        let key = list.0.first().unwrap().key_id;
        let path =
            format!("/v1/attestation?nonce={}&key_id={key}&model=breast-cancer", "ab".repeat(32));
        running.gateway.https().get(&path, &scene.token)
    };
    assert_eq!(sealed(&own).status, 200);
    let refused = sealed(&theirs);
    assert_eq!((refused.status, refused.code().as_str()), (400, "ohttp_key"));
}

#[test]
fn a_caller_who_was_there_at_two_crashes_is_let_in_later_and_nobody_else() {
    let scene = Scene::new("replicas = 1");
    let running = scene.start();
    for crash in 1..=2 {
        let worker = running.only_worker();
        kill(worker, Signal::SIGSTOP).unwrap();
        thread::scope(|scope| {
            let asking = scope.spawn(|| running.ask(&scene.token));
            wait_until("the request is there", SOON, || running.pools()[0]["in_flight"] == 1);
            // Counted a moment before it is sent.
            thread::sleep(Duration::from_millis(100));
            // Ends it at once: while a fault is dealt with, another thread might still answer.
            kill(worker, Signal::SIGUSR1).unwrap();
            kill(worker, Signal::SIGCONT).unwrap();
            let reply = asking.join().unwrap();
            assert_eq!((reply.status, reply.code().as_str()), (503, "worker_lost"), "{crash}");
        });
        wait_until("a colleague is answered", SOON, || running.ask(&scene.colleague).status == 200);
    }
    let mut refused = running.ask(&scene.token);
    wait_until("it is known who was there", SOON, || {
        refused = running.ask(&scene.token);
        refused.status == 503
    });
    assert_eq!(refused.code(), "caller_quarantined");
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=601).contains(&seconds), "{seconds}");
    assert_eq!(running.ask(&scene.colleague).status, 200);
    let id = refused.header("sealgate-request-id").unwrap().to_owned();
    running.gateway.stop();
    let records = scene.stopped.records();
    let own = records.iter().find(|record| {
        let event = &record["event"];
        event["request_id"] == id.as_str() && event.to_string().contains("caller_quarantined")
    });
    assert!(own.is_some(), "the refusal is on record");
}

#[test]
fn workers_that_were_killed_count_against_nobody() {
    let scene = Scene::new("replicas = 1");
    let running = scene.start();
    for _ in 0..3 {
        let worker = running.only_worker();
        kill(worker, Signal::SIGSTOP).unwrap();
        thread::scope(|scope| {
            let asking = scope.spawn(|| running.ask(&scene.token));
            wait_until("the request is there", SOON, || running.pools()[0]["in_flight"] == 1);
            thread::sleep(Duration::from_millis(100));
            kill(worker, Signal::SIGKILL).unwrap();
            assert_eq!(asking.join().unwrap().status, 503);
        });
        // The next one is waited for, not refused.
        assert_eq!(running.ask(&scene.token).status, 200);
    }
}

#[test]
fn when_no_worker_starts_any_more_everybody_is_told_at_once() {
    let scene = Scene::new("replicas = 1");
    let program = scene.stopped.state.path().join("worker");
    fs::copy(binary("sealgate-worker"), &program).unwrap();
    scene.stopped.change("gateway.toml", |text| {
        text.replace("engine = \"flex\"", &format!("program = {program:?}\nengine = \"flex\""))
    });
    let running = scene.start();
    fs::remove_file(&program).unwrap();
    let worker = running.only_worker();
    kill(worker, Signal::SIGKILL).unwrap();
    let mut refused = running.ask(&scene.token);
    wait_until("the circuit is open", SOON, || {
        refused = running.ask(&scene.token);
        refused.code() == "worker_failing"
    });
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let begun = Instant::now();
    assert_eq!(running.ask(&scene.token).status, 503);
    assert!(begun.elapsed() < Duration::from_secs(2), "nobody waits in vain");
    assert!(running.pools()[0]["failing_for_s"].as_u64().is_some());
    assert_eq!(running.gateway.https().get("/v2/health/ready", "").status, 503);

    fs::copy(binary("sealgate-worker"), &program).unwrap();
    wait_until("it answers again", SOON, || running.ask(&scene.token).status == 200);
}

/// How many workers are killed. A hundred take a minute.
fn kills() -> usize {
    std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(10)
}

#[test]
fn workers_killed_under_load_cost_no_wrong_answer_and_no_record() {
    let scene = Scene::new("replicas = 2");
    let running = scene.start();
    let right = score(&running.ask(&scene.token));
    let (over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answered = Arc::new(std::sync::Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let reply = running.ask(&scene.token);
                    match reply.status {
                        200 => {
                            assert_eq!(score(&reply), right);
                            let id = reply.header("sealgate-request-id").unwrap().to_owned();
                            answered.lock().unwrap().push(id);
                        }
                        503 => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        other => panic!("{other}: {}", String::from_utf8_lossy(&reply.body)),
                    }
                }
            });
        }
        for turn in 0..kills() {
            thread::sleep(Duration::from_millis(600));
            let pids = running.worker_pids();
            if let Some(pid) = pids.get(turn % pids.len().max(1)) {
                // It may be gone by itself: its session ends with it.
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    running.gateway.stop();
    let records = scene.stopped.records();
    let outcomes: BTreeSet<_> = records
        .iter()
        .filter(|record| record["type"] == "outcome")
        .filter_map(|record| record["event"]["request_id"].as_str())
        .collect();
    let answered = answered.lock().unwrap();
    let missing = answered.iter().filter(|id| !outcomes.contains(id.as_str())).count();
    assert_eq!(missing, 0, "of {} answers", answered.len());
    println!(
        "{} workers killed: {} answers, all right and on record; {} times 503",
        kills(),
        answered.len(),
        refused.into_inner()
    );
}

fn score(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()["outputs"][0]["data"].to_string()
}
