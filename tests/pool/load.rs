//! Workers that come and go with the load.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::scene::{INFER, KEYS, QUICK, Running, SOON, Scene, many_rows};
use crate::support::wait_until;

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
