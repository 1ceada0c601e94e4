//! What clients have sealed waits for its worker as everything else does, and for no other.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use sealgate_keys::ohttp::{Kem, ResponseOpener};

use crate::scene::{QUICK, Running, SOON, Scene};
use crate::sealed::{inner, key_list, opened, post, sealed};
use crate::support::wait_until;

fn seal(running: &Running<'_>) -> (Vec<u8>, ResponseOpener) {
    let list = key_list(running.gateway.https(), &running.scene.token);
    sealed(&list, Kem::X25519, &inner(&running.scene.example))
}

fn are(running: &Running<'_>, what: &str, count: u64) {
    wait_until(what, SOON, || running.pools()[0][what] == count);
}

#[test]
fn a_sealed_request_waits_until_its_worker_has_a_place() {
    let scene = Scene::new("scaling = { min = 1, max = 1, in_flight_per_worker = 1 }");
    let running = scene.start();
    let (request, opener) = seal(&running);
    let worker = running.only_worker();
    kill(worker, Signal::SIGSTOP).unwrap();
    let reply = thread::scope(|scope| {
        let first = scope.spawn(|| running.ask(&scene.colleague).status);
        are(&running, "in_flight", 1);
        let second = scope.spawn(|| post(running.gateway.https(), &scene.token, &request));
        are(&running, "waiting", 1);
        kill(worker, Signal::SIGCONT).unwrap();
        assert_eq!(first.join().unwrap(), 200);
        second.join().unwrap()
    });
    assert_eq!(opened(opener, &reply).0.status, 200);
}

#[test]
fn a_sealed_request_that_finds_the_queue_full_is_told_when_to_come_again() {
    let scene =
        Scene::new("scaling = { min = 1, max = 1, in_flight_per_worker = 1, waiting_max = 0 }");
    let running = scene.start();
    let (request, opener) = seal(&running);
    let worker = running.only_worker();
    kill(worker, Signal::SIGSTOP).unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| running.ask(&scene.colleague).status);
        are(&running, "in_flight", 1);
        let begun = Instant::now();
        let refused = post(running.gateway.https(), &scene.token, &request);
        assert!(begun.elapsed() < Duration::from_secs(2), "at once");
        assert_eq!((refused.status, refused.code().as_str()), (503, "queue_full"));
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        kill(worker, Signal::SIGCONT).unwrap();
        assert_eq!(first.join().unwrap(), 200);
    });
    // It was refused before anybody opened it, so the same bytes are good still.
    let reply = post(running.gateway.https(), &scene.token, &request);
    assert_eq!(opened(opener, &reply).0.status, 200);
}

#[test]
fn a_sealed_request_whose_worker_goes_while_it_waits_is_sent_to_no_other() {
    let scene = Scene::new("scaling = { min = 1, max = 1, in_flight_per_worker = 1 }");
    let running = scene.start();
    let (request, _) = seal(&running);
    let worker = running.only_worker();
    kill(worker, Signal::SIGSTOP).unwrap();
    let refused = thread::scope(|scope| {
        let first = scope.spawn(|| running.ask(&scene.colleague).code());
        are(&running, "in_flight", 1);
        let second = scope.spawn(|| post(running.gateway.https(), &scene.token, &request));
        are(&running, "waiting", 1);
        kill(worker, Signal::SIGKILL).unwrap();
        assert_eq!(first.join().unwrap(), "worker_lost");
        second.join().unwrap()
    });
    assert_eq!((refused.status, refused.code().as_str()), (400, "ohttp_key"));
    wait_until("another worker", SOON, || running.ask(&scene.token).status == 200);
    let id = refused.header("sealgate-request-id").unwrap().to_owned();
    running.gateway.stop();
    let records = scene.stopped.records();
    let outcome = records
        .iter()
        .find(|record| record["type"] == "outcome" && record["event"]["request_id"] == id.as_str());
    assert_eq!(outcome.expect("an outcome")["event"]["code"], "key_unknown");
}

#[test]
fn a_worker_that_is_let_go_answers_what_clients_have_its_keys_for() {
    let scene =
        Scene::new(&format!("scaling = {{ min = 0, max = 1, {QUICK}, idle_grace_ms = 300 }}"));
    let running = scene.start();
    let (request, opener) = seal(&running);
    are(&running, "draining", 1);
    let reply = post(running.gateway.https(), &scene.token, &request);
    assert_eq!(opened(opener, &reply).0.status, 200);
}
