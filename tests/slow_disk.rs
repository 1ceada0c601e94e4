//! A disk that takes its time: the audit log's writes are held up from outside, by `strace`.
//!
//! Who may not trace the gateway, which forbids that to everybody but root, is told so and tries
//! nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Demo, Reply, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
/// How long the gateway waits for a record.
const PATIENCE: Duration = Duration::from_secs(10);

/// While this lives, each `fdatasync` of one thread takes longer than anybody waits.
struct HeldUp(Child);

impl HeldUp {
    /// `None`, said aloud, where there is no tracing.
    fn new(thread: i32) -> Option<Self> {
        let strace = Command::new("strace")
            .args(["-q", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=15s", "-p"])
            .arg(thread.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let traced = || {
            let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
            status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
        };
        if let Ok(mut strace) = strace {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(10) {
                if traced() {
                    return Some(Self(strace));
                }
                if strace.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            let _ = strace.kill();
            let _ = strace.wait();
        }
        // Past the test's own capture: whoever runs the tests must see it.
        let said = b"\nSKIPPED: the gateway cannot be traced (no `strace`, or not root)\n";
        std::io::stderr().write_all(said).unwrap();
        None
    }
}

impl Drop for HeldUp {
    fn drop(&mut self) {
        // Told to end it lets go of what it holds up; killed, it might not.
        let _ = kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// The thread of a process that has this name.
fn thread(pid: i32, name: &str) -> i32 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let named = |path: &std::path::Path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let mut found = tasks.map(|task| task.path()).filter(|path| named(path));
    found.next().expect("a thread").file_name().unwrap().to_str().unwrap().parse().unwrap()
}

#[test]
fn while_the_disk_hangs_nothing_is_answered_and_whoever_waits_too_long_is_told() {
    let demo = Demo::start();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    assert_eq!(https.post(INFER, &token, &example).status, 200);
    let Some(held_up) = HeldUp::new(thread(demo.gateway_pid(), "audit-writer")) else { return };
    let ask = |body: &[u8], model: &str| {
        let begun = Instant::now();
        (https.post(&format!("/v2/models/{model}/infer"), &token, body), begun.elapsed())
    };
    // Answers and refusals of a known caller alike.
    let models = ["breast-cancer", "breast-cancer", "none", "breast-cancer"];
    let replies: Vec<(Reply, Duration)> = std::thread::scope(|scope| {
        let ask = &ask;
        let example = &example;
        let callers: Vec<_> =
            models.iter().map(|model| scope.spawn(move || ask(example, model))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    for (reply, waited) in &replies {
        assert_eq!((reply.status, reply.code().as_str()), (503, "audit_unavailable"));
        assert!(*waited >= PATIENCE - Duration::from_millis(100), "{waited:?}");
        assert!(*waited < PATIENCE + Duration::from_secs(5), "{waited:?}");
    }
    drop(held_up);
    wait_until("it answers again", Duration::from_secs(40), || {
        https.post(INFER, &token, &example).status == 200
    });
    // What was decided meanwhile is on record, and what became of it.
    let records = demo.records();
    for (reply, _) in &replies {
        let id = reply.header("sealgate-request-id").unwrap();
        let of = |kind: &str| {
            let own = |record: &&serde_json::Value| {
                record["type"] == kind && record["event"]["request_id"] == id
            };
            records.iter().find(own).map(|record| record["event"].clone())
        };
        let decision = of("decision").expect("a decision");
        if decision["verdict"] == "allow" {
            assert_eq!(of("outcome").expect("an outcome")["code"], "audit_unavailable");
        }
    }
    assert!(demo.verify_audit().status.success());
}
