//! Workers that are started before they are needed.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::scene::{SOON, Scene};
use crate::support::wait_until;

/// Seconds for which evidence counts in the test below.
const AGE_MAX: u64 = 2;

#[test]
fn a_spare_worker_that_has_waited_for_long_is_not_refused_for_its_old_evidence() {
    let scene = Scene::new("replicas = 1");
    scene.stopped.change("gateway.toml", |text| {
        let age = format!("[attestation]\nevidence_age_max_s = {AGE_MAX}\n");
        assert!(text.contains("[worker]\n") && text.contains("[attestation]\n"), "{text}");
        text.replace("[worker]\n", "[worker]\nspares = 1\n").replace("[attestation]\n", &age)
    });
    let running = scene.start();
    // What is tested is that time passes.
    std::thread::sleep(Duration::from_secs(2 * AGE_MAX + 1));
    kill(running.only_worker(), Signal::SIGKILL).unwrap();
    wait_until("another worker", SOON, || running.ask(&scene.token).status == 200);
    let said = running.gateway.stop();
    assert!(!said.contains("worker not started"), "{said}");
}
