//! Birth, death and return of the processes, and what the log keeps of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sealgate_audit::{self as audit, CheckpointKey, Event, Log, Options, Origin};
use serde_json::{Value, json};
use support::{Demo, Gateway, Stopped, binary, is_alive, sealgate, stdout, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";

#[test]
fn a_killed_worker_costs_its_requests_and_comes_back() {
    let mut demo = Demo::start();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let old = demo.worker_pids();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    // A wait that fails below must not leave the callers calling for ever.
    let end = Instant::now() + Duration::from_secs(60);
    let replies = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut replies = Vec::new();
                    while !stop.load(Ordering::Relaxed) && Instant::now() < end {
                        let reply = https.post(INFER, &token, &example);
                        answered.fetch_add(usize::from(reply.status == 200), Ordering::Relaxed);
                        replies.push(reply);
                    }
                    replies
                })
            })
            .collect();
        wait_until("some requests are answered", Duration::from_secs(20), || {
            answered.load(Ordering::Relaxed) > 40
        });
        // Stopped first, so that every caller has a request there when it is killed.
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for &pid in &old {
                kill(Pid::from_raw(pid), signal).unwrap();
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let answers = || https.post(INFER, &token, &example).status == 200;
        wait_until("the worker is gone", Duration::from_secs(10), || {
            !old.iter().any(|&p| is_alive(p))
        });
        wait_until("another worker answers", Duration::from_secs(20), answers);
        stop.store(true, Ordering::Relaxed);
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    for reply in &replies {
        let code = if reply.status == 200 { String::new() } else { reply.code() };
        let expected = matches!(
            (reply.status, code.as_str()),
            (200, _) | (503, "worker_lost" | "worker_unavailable")
        );
        assert!(expected, "{} {code}", reply.status);
    }
    assert!(replies.iter().any(|reply| reply.status == 503), "nobody noticed the worker's end");
    wait_until("demo.json names the new worker", Duration::from_secs(10), || {
        demo.refresh();
        let new = demo.worker_pids();
        !new.is_empty() && new.iter().all(|pid| !old.contains(pid) && is_alive(*pid))
    });
    assert_eq!(https.post(INFER, &token, &example).status, 200);
    assert!(demo.verify_audit().status.success());
    let types: Vec<_> =
        demo.records().iter().map(|r| r["type"].as_str().unwrap().to_owned()).collect();
    assert!(types.iter().any(|t| t == "worker_ended"));
    assert_eq!(types.iter().filter(|t| *t == "worker_started").count(), 2);
}

#[test]
fn stopping_ends_everything_and_leaves_a_log_that_verifies() {
    let demo = Demo::start();
    demo.https().post(INFER, &demo.token(), &demo.example());
    let pids = [demo.worker_pids(), vec![demo.gateway_pid()]].concat();
    let stopped = demo.stop();
    assert!(pids.iter().all(|&pid| !is_alive(pid)));
    assert!(!stopped.state.path().join("demo.json").exists());
    let output = sealgate(&["audit", "verify", stopped.fact("audit")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    let again = Demo::start_in(stopped.state);
    assert_eq!(again.https().post(INFER, &again.token(), &again.example()).status, 200);
    let started = again.records().iter().filter(|r| r["type"] == "started").count();
    assert_eq!(started, 2, "the log goes on where it ended");
}

#[test]
fn a_demo_that_is_killed_takes_its_children_with_it() {
    let demo = Demo::start();
    let pids = [demo.worker_pids(), vec![demo.gateway_pid()]].concat();
    assert!(pids.iter().all(|&pid| is_alive(pid)));
    kill(Pid::from_raw(demo.pid()), Signal::SIGKILL).unwrap();
    wait_until("the children end", Duration::from_secs(20), || {
        !pids.iter().any(|&pid| is_alive(pid))
    });
}

#[test]
fn a_gateway_that_is_killed_leaves_no_answer_without_a_record() {
    let demo = Demo::start();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let gateway = demo.gateway_pid();
    let audit = demo.fact("audit").to_owned();
    let ids = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut ids = Vec::new();
                    loop {
                        match https.try_request("POST", INFER, &headers, &example) {
                            Some(reply) if reply.status == 200 => {
                                ids.push(reply.header("sealgate-request-id").unwrap().to_owned());
                            }
                            _ => return ids,
                        }
                    }
                })
            })
            .collect();
        wait_until("some requests are answered", Duration::from_secs(30), || {
            demo.records().iter().filter(|r| r["type"] == "decision").count() > 4_000
        });
        kill(Pid::from_raw(gateway), Signal::SIGKILL).unwrap();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(ids.len() > 3_000, "{} answers", ids.len());
    let recorded: std::collections::BTreeSet<String> = sealgate_audit::records(Path::new(&audit))
        .unwrap()
        .map_while(Result::ok)
        .map(|entry| serde_json::from_slice::<Value>(&entry.body).unwrap())
        .filter(|record| record["type"] == "decision")
        .map(|record| record["event"]["request_id"].as_str().unwrap().to_owned())
        .collect();
    let missing: Vec<_> = ids.iter().filter(|id| !recorded.contains(*id)).collect();
    assert!(missing.is_empty(), "{} of {} answers have no record", missing.len(), ids.len());
}

#[test]
fn any_flipped_byte_of_a_finished_log_is_found_and_named() {
    let demo = Demo::start();
    for _ in 0..5 {
        demo.https().post(INFER, &demo.token(), &demo.example());
    }
    let stopped = demo.stop();
    let audit = Path::new(stopped.fact("audit")).to_owned();
    let files = files_below(&audit);
    assert!(files.len() > 3, "segment, tile, checkpoint, kept record: {files:?}");
    for file in &files {
        let good = std::fs::read(file).unwrap();
        let step = (good.len() / 60).max(1);
        for at in (0..good.len()).step_by(step).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 0x01;
            std::fs::write(file, &bad).unwrap();
            let output = sealgate(&["audit", "verify", audit.to_str().unwrap()]);
            let name = file.strip_prefix(&audit).unwrap().to_str().unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!output.status.success(), "byte {at} of {name} was not found");
            assert!(said.contains(name), "byte {at}: {said}");
        }
        std::fs::write(file, &good).unwrap();
    }
    assert!(sealgate(&["audit", "verify", audit.to_str().unwrap()]).status.success());
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn the_other_engine_answers_the_same_through_the_whole_path() {
    let flex = Demo::start();
    let (token, example) = (flex.token(), flex.example());
    let of_flex = flex.https().post(INFER, &token, &example).json()["outputs"][0]["data"].clone();
    let stopped = flex.stop();

    stopped.change("gateway.toml", |config| {
        assert!(config.contains("engine = \"flex\""));
        config.replace("engine = \"flex\"", "engine = \"ndarray\"")
    });
    let ndarray = Gateway::start(&stopped);
    let of_ndarray =
        ndarray.https().post(INFER, &token, &example).json()["outputs"][0]["data"].clone();
    let log = ndarray.stop();
    assert!(log.contains("engine=\"ndarray\""), "{log}");
    let difference = of_flex[0].as_f64().unwrap() - of_ndarray[0].as_f64().unwrap();
    assert!(difference.abs() < 1e-6, "{of_flex} and {of_ndarray}");
}

#[test]
fn no_setting_turns_sealing_policy_or_audit_off() {
    let demo = Demo::start();
    let config = demo.state().join("gateway.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    let check = |text: &str| {
        let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::process::Command::new(binary("sealgate-gateway"))
            .args(["--check", "--config", file.path().to_str().unwrap()])
            .output()
            .unwrap()
    };
    assert!(check(&good).status.success(), "the configuration itself is good");
    for section in ["edge", "audit", "worker", "requests"] {
        for key in
            ["enabled", "disabled", "seal", "sealing", "plaintext", "insecure", "bypass", "off"]
        {
            let text = format!("{key} = false\n");
            let changed = match good.contains(&format!("[{section}]")) {
                true => good.replace(&format!("[{section}]"), &format!("[{section}]\n{text}")),
                false => format!("{good}\n[{section}]\n{text}"),
            };
            let output = check(&changed);
            assert_eq!(output.status.code(), Some(78), "[{section}] {key}");
        }
    }
    for gone in ["policies = ", "dir = ", "key = "] {
        let without: String =
            good.lines().filter(|l| !l.starts_with(gone)).map(|l| format!("{l}\n")).collect();
        assert_eq!(check(&without).status.code(), Some(78), "without `{gone}`");
    }
    for arguments in [&["--no-audit"][..], &["--insecure"], &["--plain"]] {
        let output = std::process::Command::new(binary("sealgate-gateway"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn no_record_means_no_answer() {
    let demo = Demo::start();
    let (token, example) = (demo.token(), demo.example());
    let stopped = demo.stop();
    let free = sealgate_audit::free_bytes()(stopped.state.path()).unwrap();
    let mark = free.saturating_sub(GIB);
    stopped.change("gateway.toml", |config| {
        config.replace("[audit]", &format!("[audit]\nlow_water_bytes = {mark}"))
    });
    let gateway = Gateway::start(&stopped);
    let readiness = || {
        let reply = gateway.https().request("GET", "/readyz", &[], &[]);
        (reply.status, reply.json())
    };
    assert_eq!(gateway.https().post(INFER, &token, &example).status, 200);
    assert_eq!(readiness(), (200, json!({"ready": true, "policy": "newest", "reasons": []})));

    let ballast = std::fs::File::create(stopped.state.path().join("ballast")).unwrap();
    nix::fcntl::posix_fallocate(&ballast, 0, i64::try_from(2 * GIB).unwrap()).unwrap();
    let reply = gateway.https().post(INFER, &token, &example);
    assert_eq!((reply.status, reply.code().as_str()), (503, "audit_unavailable"));
    let denied = gateway.https().post("/v2/models/no-such/infer", &token, &example);
    assert_eq!((denied.status, denied.code().as_str()), (503, "audit_unavailable"));

    wait_until("the gateway says that it is not ready", Duration::from_secs(10), || {
        let told = json!({"ready": false, "policy": "newest", "reasons": ["disk_low"]});
        readiness() == (503, told)
    });

    std::fs::remove_file(stopped.state.path().join("ballast")).unwrap();
    drop(ballast);
    wait_until("there is room again", Duration::from_secs(10), || {
        gateway.https().post(INFER, &token, &example).status == 200
    });
    wait_until("the gateway says that it is ready", Duration::from_secs(10), || {
        readiness() == (200, json!({"ready": true, "policy": "newest", "reasons": []}))
    });
}

const GIB: u64 = 1 << 30;

#[test]
fn no_token_counts_while_the_clock_is_behind_the_record() {
    let demo = Demo::start();
    let (token, example) = (demo.token(), demo.example());
    let stopped = demo.stop();
    record_something(&stopped, Duration::from_secs(12));

    let gateway = Gateway::start(&stopped);
    let reply = gateway.https().post(INFER, &token, &example);
    assert_eq!((reply.status, reply.code().as_str()), (503, "clock_behind"));
    let readiness = gateway.https().request("GET", "/readyz", &[], &[]);
    assert_eq!((readiness.status, &readiness.json()["reasons"]), (503, &json!(["clock_behind"])));
    wait_until("the clock has caught up", Duration::from_secs(20), || {
        gateway.https().post(INFER, &token, &example).status == 200
    });
    gateway.stop();
    let refused =
        |record: &Value| record["type"] == "refused" && record["event"]["reason"] == "clock_behind";
    assert!(stopped.records().iter().any(refused), "it is not on record");
}

/// Leaves a record from the future in a log, as a gateway with a wrong clock would.
fn record_something(stopped: &Stopped, ahead: Duration) {
    let state = stopped.state.path();
    let key = CheckpointKey::load_or_create(&state.join("keys/audit.pk8")).unwrap();
    let origin = Origin::new("sealgate.local/audit").unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let then_us = u64::try_from((now + ahead).as_micros()).unwrap();
    let options = Options::new(stopped.fact("audit"), origin);
    let (log, _) = Log::open(options, key, Arc::new(move || then_us)).unwrap();
    log.append_and_wait(&Event::Stopped(audit::Stopped { why: "a wrong clock".into() })).unwrap();
    log.close().unwrap();
}

#[test]
fn a_gateway_does_not_start_on_a_full_disk() {
    let stopped = Demo::start().stop();
    stopped.change("gateway.toml", |config| {
        config.replace("[audit]", "[audit]\nlow_water_bytes = 9000000000000000000")
    });
    let output = std::process::Command::new(binary("sealgate-gateway"))
        .arg("--config")
        .arg(stopped.state.path().join("gateway.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("must stay free"));
}

#[test]
fn checking_a_configuration_binds_no_port_and_starts_nothing() {
    let demo = Demo::start();
    // The demo's own port is taken; a check that bound it would fail.
    let config = demo.state().join("gateway.toml");
    let output = std::process::Command::new(binary("sealgate-gateway"))
        .args(["--check", "--config", config.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(stdout(&output), "");
}
