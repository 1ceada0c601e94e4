//! `sealgate demo` beside gateways that are none: what it does when they fail, and that it never
//! leaves one behind. The real one is tried by the tests of whole paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::sealgate::{Ran, binary, text};

/// A folder with this program and another gateway beside it.
struct Installed {
    dir: TempDir,
}

impl Installed {
    fn with(gateway: &str) -> Self {
        let installed = Self::alone();
        for (name, script) in [("sealgate-gateway", gateway), ("sealgate-worker", "")] {
            let source = installed.path("script");
            fs::write(&source, format!("#!/bin/sh\n{script}\n")).unwrap();
            install(&source, &installed.path(name));
        }
        installed
    }

    fn alone() -> Self {
        let dir = tempfile::tempdir().unwrap();
        install(binary(), &dir.path().join("sealgate"));
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn demo(&self) -> Command {
        let mut command = Command::new(self.path("sealgate"));
        command.args(["demo", "--listen", "127.0.0.1:0", "--state", text(&self.path("state"))]);
        command.current_dir(self.dir.path());
        command
    }

    fn started(&self) -> Child {
        self.demo().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// By another process: if this one had the file open for writing while another test starts a
/// child, that child would keep it open and the file could not be run ("text file busy").
fn install(source: &Path, program: &Path) {
    let status = Command::new("install").arg("-m755").args([source, program]).status().unwrap();
    assert!(status.success());
}

fn appears(path: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !path.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    path.exists()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

#[test]
fn a_missing_sibling_is_told_with_the_command_to_type() {
    let ran = Ran::from(Installed::alone().demo().output().unwrap());
    let said = ran.failed(78);
    assert!(said.contains("`sealgate-worker` is not in `"), "{said}");
    assert!(said.ends_with("\nhint: cargo build --release\n"), "{said}");
}

#[test]
fn an_address_that_others_can_reach_must_be_meant() {
    let installed = Installed::with("exit 3");
    let state = installed.path("state");
    let demo = |more: &[&str]| {
        let mut command = Command::new(installed.path("sealgate"));
        command.args(["demo", "--listen", "0.0.0.0:0", "--state", text(&state)]);
        Ran::from(command.args(more).output().unwrap())
    };
    let said = demo(&[]).failed(64);
    assert!(said.contains("hint: ") && said.contains("`--unsafe-remote`"), "{said}");
    assert!(!state.exists());
    demo(&["--unsafe-remote"]).failed(1);
}

#[test]
fn a_gateway_that_ends_takes_the_demo_with_it_and_is_quoted() {
    let installed = Installed::with("echo 'cannot bind' >&2; exit 3");
    let said = Ran::from(installed.demo().output().unwrap()).failed(1);
    assert!(
        said.contains("error: the gateway ended before it was ready: exit status: 3: cannot bind"),
        "{said}"
    );
    assert!(said.contains("hint: its last words stand in `"), "{said}");
    assert!(!installed.path("state/demo.json").exists());
}

#[test]
fn a_sandbox_that_cannot_be_enforced_is_explained() {
    let installed = Installed::with("echo 'error: no sandbox: landlock' >&2; exit 3");
    let said = Ran::from(installed.demo().output().unwrap()).failed(1);
    assert!(said.contains("sandbox = \"report\""), "{said}");
}

#[test]
fn a_sandbox_that_holds_is_not_blamed() {
    let script = "echo 'INFO sandbox closed' >&2; echo 'error: cannot bind' >&2; exit 3";
    let said = Ran::from(Installed::with(script).demo().output().unwrap()).failed(1);
    assert!(said.contains("cannot bind") && !said.contains("report"), "{said}");
}

#[test]
fn a_second_demo_on_the_same_state_is_refused() {
    let installed = Installed::with("touch started; exec cat");
    let mut first = installed.started();
    assert!(appears(&installed.path("started")));
    let said = Ran::from(installed.demo().output().unwrap()).failed(1);
    assert!(said.contains("error: another demo runs on `"), "{said}");
    signal(&first, Signal::SIGTERM);
    first.wait().unwrap();
}

#[test]
fn a_demo_that_is_asked_to_stop_stops_its_gateway_in_good_order() {
    for asked in [Signal::SIGTERM, Signal::SIGINT] {
        let script =
            "trap 'touch stopped; exit 0' TERM; touch started; while :; do sleep 0.01; done";
        let installed = Installed::with(script);
        let mut demo = installed.started();
        assert!(appears(&installed.path("started")));
        signal(&demo, asked);
        assert_eq!(demo.wait().unwrap().code(), Some(0));
        assert!(installed.path("stopped").exists());
    }
}

#[test]
fn a_gateway_that_waits_for_its_input_to_end_is_not_killed() {
    let installed = Installed::with("trap '' TERM; touch started; cat >/dev/null; touch stopped");
    let mut demo = installed.started();
    assert!(appears(&installed.path("started")));
    signal(&demo, Signal::SIGTERM);
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    assert!(installed.path("stopped").exists());
}

#[test]
fn a_demo_that_is_killed_leaves_no_gateway_behind() {
    let installed = Installed::with("touch started; cat >/dev/null; touch ended");
    let mut demo = installed.started();
    assert!(appears(&installed.path("started")));
    signal(&demo, Signal::SIGKILL);
    demo.wait().unwrap();
    assert!(appears(&installed.path("ended")));
}

#[test]
fn a_gateway_is_started_on_the_states_configuration() {
    let installed = Installed::with("echo \"$@\" >&2; exit 1");
    let said = Ran::from(installed.demo().output().unwrap()).failed(1);
    let config = installed.path("state").canonicalize().unwrap().join("gateway.toml");
    assert!(said.contains(&format!("--config {} --stop-with-parent", config.display())), "{said}");
}

#[test]
fn a_worker_that_cannot_be_started_is_not_waited_for() {
    let event = r#"{"event":"worker_failed","model":"m","why":"no sandbox: landlock"}"#;
    let installed = Installed::with(&format!("for n in 1 2 3; do echo '{event}'; done; exec cat"));
    let said = Ran::from(installed.demo().output().unwrap()).failed(1);
    assert!(said.contains("error: the gateway cannot start its worker: "), "{said}");
    assert!(said.contains("no sandbox: landlock\nhint: "), "{said}");
}
