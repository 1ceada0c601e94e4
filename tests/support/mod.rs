//! What whole-path tests share: the real binaries, a running demo, a plain HTTPS client.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod grpc;
pub mod https;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

#[allow(unused_imports, reason = "each test file uses its own part of this")]
pub use https::{Https, Reply};

/// A binary of this workspace, beside the test's own executable's folder.
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    let path = own.ancestors().nth(2).expect("target folder").join(name);
    assert!(path.is_file(), "no `{name}` at {path:?}\nhint: cargo test --workspace builds it");
    path
}

/// Runs the command line tool to its end.
pub fn sealgate(arguments: &[&str]) -> Output {
    Command::new(binary("sealgate")).args(arguments).output().expect("sealgate runs")
}

/// What a command printed on stdout; it must have ended well.
pub fn stdout(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// A demo: CA, issuer, policies, model, gateway and worker, as a person would start it.
pub struct Demo {
    child: Child,
    state: TempDir,
    facts: Value,
    log: PathBuf,
}

/// One demo for the tests of a file that only ask it things. Whoever asks holds it for the length of
/// a test; it ends with the last of them, so that nothing outlives the tests.
pub fn shared() -> Arc<Demo> {
    static SHARED: Mutex<Weak<Demo>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let demo = Arc::new(Demo::start());
        *shared = Arc::downgrade(&demo);
        demo
    })
}

impl Demo {
    /// Starts one on a free port and waits until it has had its own first answer.
    pub fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder"))
    }

    pub fn start_in(state: TempDir) -> Self {
        let log = state.path().with_extension("log");
        let out = std::fs::File::options().create(true).append(true).open(&log).expect("a log");
        let child = Command::new(binary("sealgate"))
            .args(["demo", "--listen", "127.0.0.1:0", "--state"])
            .arg(state.path())
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a log"))
            .stderr(out)
            .spawn()
            .expect("the demo starts");
        let mut demo = Self { child, state, facts: Value::Null, log };
        let file = demo.state.path().join("demo.json");
        wait_until("the demo answers", Duration::from_secs(120), || {
            assert!(demo.child.try_wait().unwrap().is_none(), "the demo ended:\n{}", demo.log());
            file.is_file()
        });
        demo.refresh();
        demo
    }

    /// Reads `demo.json` again.
    pub fn refresh(&mut self) {
        let text = std::fs::read_to_string(self.state().join("demo.json")).expect("demo.json");
        self.facts = serde_json::from_str(&text).expect("demo.json is JSON");
    }

    pub fn state(&self) -> &Path {
        self.state.path()
    }

    pub fn state_text(&self) -> &str {
        self.state().to_str().expect("UTF-8")
    }

    /// A member of `demo.json` that is text.
    pub fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("`{name}` in {}", self.facts))
    }

    pub fn worker_pids(&self) -> Vec<i32> {
        let pids = self.facts["worker_pids"].as_array().expect("worker_pids");
        pids.iter().map(|pid| i32::try_from(pid.as_i64().unwrap()).unwrap()).collect()
    }

    pub fn gateway_pid(&self) -> i32 {
        i32::try_from(self.facts["gateway_pid"].as_i64().expect("gateway_pid")).unwrap()
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn token(&self) -> String {
        std::fs::read_to_string(self.fact("token")).expect("token").trim().to_owned()
    }

    pub fn example(&self) -> Vec<u8> {
        std::fs::read(self.fact("example")).expect("example")
    }

    pub fn https(&self) -> Https {
        Https::new(self.fact("url"), Path::new(self.fact("ca")))
    }

    /// A token of the demo's issuer with the given claims.
    pub fn token_for(&self, arguments: &[&str]) -> String {
        let all = [&["token", "--state", self.state_text()], arguments].concat();
        stdout(&sealgate(&all)).trim().to_owned()
    }

    /// The caller's claims, as arguments of `sealgate token`, without those named in `leave_out`.
    pub fn allowed_claims(&self, leave_out: &[&str]) -> Vec<String> {
        let allowed = &self.facts["allowed"];
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: &Value| {
            if !leave_out.contains(&name) {
                arguments.extend([format!("--{name}"), value.as_str().unwrap().to_owned()]);
            }
        };
        add("subject", &allowed["subject"]);
        add("tenant", &allowed["tenant"]);
        allowed["groups"].as_array().unwrap().iter().for_each(|group| add("group", group));
        allowed["scopes"].as_array().unwrap().iter().for_each(|scope| add("scope", scope));
        arguments
    }

    /// Everything demo, gateway and worker wrote on stdout and stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn verify_audit(&self) -> Output {
        sealgate(&["audit", "verify", self.fact("audit")])
    }

    /// The records of the log, as they lie there now.
    pub fn records(&self) -> Vec<Value> {
        records_in(Path::new(self.fact("audit")))
    }

    /// Asks it to stop, waits, and leaves the state behind.
    pub fn stop(mut self) -> Stopped {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM).expect("SIGTERM");
        let child = &mut self.child;
        wait_until("the demo stops", Duration::from_secs(20), || {
            child.try_wait().unwrap().is_some()
        });
        let status = self.child.wait().expect("a status");
        assert!(status.success(), "{status}: {}", self.log());
        let state = std::mem::replace(&mut self.state, tempfile::tempdir().unwrap());
        Stopped { state, facts: self.facts.clone() }
    }
}

/// A program that a test starts and reads; it is asked to end when it is dropped.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().expect("it starts"))
    }

    /// What it prints, once.
    pub fn stdout(&mut self) -> std::process::ChildStdout {
        self.0.stdout.take().expect("stdout")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a demo leaves behind.
pub struct Stopped {
    pub state: TempDir,
    facts: Value,
}

impl Stopped {
    pub fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().expect("text")
    }

    /// The records of the log, as they lie there now.
    pub fn records(&self) -> Vec<Value> {
        records_in(Path::new(self.fact("audit")))
    }

    /// Takes away the shipped policy tests, for who changes what they are about.
    pub fn without_policy_tests(&self) {
        std::fs::remove_dir_all(self.state.path().join("policies/tests")).expect("policy tests");
    }

    /// Changes a configuration file of the state.
    pub fn change(&self, file: &str, change: impl FnOnce(&str) -> String) {
        let path = self.state.path().join(file);
        let text = std::fs::read_to_string(&path).expect("a configuration");
        std::fs::write(&path, change(&text)).expect("a configuration");
    }
}

/// A gateway by itself, on the state that a demo left behind.
pub struct Gateway {
    child: Child,
    https: Https,
    admin: Option<Https>,
    log: tempfile::NamedTempFile,
}

impl Gateway {
    /// Starts it and waits until its worker answers.
    pub fn start(stopped: &Stopped) -> Self {
        Self::start_with_env(stopped, &[])
    }

    /// The same with more in its environment.
    pub fn start_with_env(stopped: &Stopped, env: &[(&str, &Path)]) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a log");
        let mut child = Command::new(binary("sealgate-gateway"))
            .arg("--config")
            .arg(stopped.state.path().join("gateway.toml"))
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log.reopen().expect("a log"))
            .spawn()
            .expect("the gateway starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let https = |event: &Value| {
            let url = format!("https://{}", event["address"].as_str().unwrap());
            Https::new(&url, Path::new(stopped.fact("ca")))
        };
        let (mut public, mut admin) = (None, None);
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("ended: {}", read(&log)));
            let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            match event["event"].as_str() {
                Some("listening") => public = Some(https(&event)),
                Some("admin_listening") => admin = Some(https(&event)),
                Some("worker_started") => break,
                _ => panic!("{event}: {}", read(&log)),
            }
        }
        Self { child, https: public.expect("a listener"), admin, log }
    }

    pub const fn https(&self) -> &Https {
        &self.https
    }

    /// The admin listener.
    pub fn admin(&self) -> &Https {
        self.admin.as_ref().expect("an admin listener")
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("a signal");
    }

    /// Ends it well and gives back what it and its worker wrote on stderr.
    pub fn stop(mut self) -> String {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        assert!(self.child.wait().expect("a status").success(), "{}", read(&self.log));
        read(&self.log)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The claims of a token, read without a key.
pub fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn records_in(audit: &Path) -> Vec<Value> {
    sealgate_audit::records(audit)
        .expect("a readable log")
        .map_while(Result::ok)
        .map(|entry| serde_json::from_slice(&entry.body).expect("a JSON body"))
        .collect()
}

fn read(log: &tempfile::NamedTempFile) -> String {
    std::fs::read_to_string(log.path()).unwrap_or_default()
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.pid()), Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                let _ = std::fs::remove_file(&self.log);
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until `holds`, or fails after `patience`.
pub fn wait_until(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "not in {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The account that a process runs as.
pub fn process_owner(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).expect("accounts");
    line.split_whitespace().next().expect("a number").parse().expect("a number")
}

/// Whether a process exists and is no zombie.
pub fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("Z").trim().starts_with('Z'))
}
