//! Workers that fail, and what that costs whom.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::scene::{SOON, Scene};
use crate::support::{binary, wait_until};

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
