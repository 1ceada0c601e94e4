//! `/livez` and `/readyz`: reasons in stable codes, and no name.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::scene::{SOON, Scene};
use crate::support::{binary, wait_until};

const QUICK: &str =
    "tick_ms = 100, panic_window_ms = 200, stable_window_ms = 500, idle_grace_ms = 100";

fn scaled(settings: &str) -> Scene {
    let scene = Scene::new("", "");
    scene.stopped.change("gateway.toml", |text| {
        text.replace("[[models]]", &format!("[[models]]\n{settings}"))
    });
    scene
}

#[test]
fn both_listeners_say_that_they_live_and_are_ready_without_a_token() {
    let scene = Scene::new("", "");
    let running = scene.start();
    wait_until("it is ready", SOON, || running.readiness() == (200, Vec::new()));
    for listener in [running.gateway.https(), running.gateway.admin()] {
        assert_eq!(listener.request("GET", "/livez", &[], &[]).status, 200);
        assert_eq!(listener.request("GET", "/readyz", &[], &[]).status, 200);
    }
}

#[test]
fn a_lock_down_is_a_reason_and_lifting_it_ends_it() {
    let scene = Scene::new("", "");
    let running = scene.start();
    running.order("lock_down");
    assert_eq!(running.readiness(), (503, vec!["locked_down".to_owned()]));
    assert_eq!(running.gateway.https().request("GET", "/v2/health/ready", &[], &[]).status, 503);
    assert_eq!(running.gateway.https().request("GET", "/livez", &[], &[]).status, 200);
    running.order("lift_lock_down");
    wait_until("it is ready", SOON, || running.readiness() == (200, Vec::new()));
}

#[test]
fn a_policy_folder_that_is_refused_is_a_reason_and_requests_are_served() {
    let scene = Scene::new("", "");
    let running = scene.start();
    let file = scene.stopped.state.path().join("policies/rules/scope.cedar");
    let good = fs::read(&file).unwrap();
    fs::write(&file, "permit (").unwrap();
    wait_until("it is refused", SOON, || {
        running.readiness() == (200, vec!["policy_refused".to_owned()])
    });
    assert_eq!(running.ask().status, 200);
    fs::write(&file, good).unwrap();
    wait_until("it is in force", SOON, || running.readiness() == (200, Vec::new()));
}

#[test]
fn a_model_that_the_scaler_let_go_to_none_is_ready() {
    let scene = scaled(&format!("scaling = {{ min = 0, max = 1, {QUICK} }}"));
    let running = scene.start();
    wait_until("it has none", SOON, || {
        running
            .scrape()
            .contains("sealgate_workers{model=\"breast-cancer\",version=\"1\",state=\"ready\"} 0")
    });
    assert_eq!(running.readiness(), (200, Vec::new()));
    assert_eq!(running.ask().status, 200);
}

#[test]
fn a_model_whose_workers_do_not_start_any_more_is_a_reason() {
    let scene = scaled("replicas = 1");
    let program = scene.stopped.state.path().join("worker");
    fs::copy(binary("sealgate-worker"), &program).unwrap();
    scene.stopped.change("gateway.toml", |text| {
        text.replace("engine = \"flex\"", &format!("program = {program:?}\nengine = \"flex\""))
    });
    let running = scene.start();
    wait_until("it is ready", SOON, || running.readiness() == (200, Vec::new()));
    fs::remove_file(&program).unwrap();
    let standing = running.gateway.admin().get("/v1/admin/standing", &scene.operator).json();
    let pid = i32::try_from(standing["workers"][0]["pid"].as_i64().unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let mut seen = (0, Vec::new());
    wait_until("both reasons hold", SOON, || {
        seen = running.readiness();
        seen.1 == ["circuit_open", "model_without_worker"]
    });
    assert_eq!(seen.0, 503);
    fs::copy(binary("sealgate-worker"), &program).unwrap();
    wait_until("it is ready again", SOON, || running.readiness() == (200, Vec::new()));
}
