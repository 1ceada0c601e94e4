//! Models in parts, served through a gateway like any other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sealgate_model::Artifact;
use sealgate_model::split::{PLAN_FILE, part_file};
use sealgate_model_builder::{SplitBy, split};
use serde_json::{Value, json};
use support::{Demo, Gateway, Reply, Stopped, binary, is_alive, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
const SOON: Duration = Duration::from_secs(30);

/// Splits the model of a stopped demo, and has the gateway serve the plan in its place.
fn split_in(stopped: &Stopped, parts: usize, by: SplitBy) -> PathBuf {
    let whole = stopped.state.path().join("models/breast-cancer/1/model.safetensors");
    let artifact = Artifact::parse(&fs::read(&whole).unwrap()).unwrap();
    let found = split(&artifact, parts, by).unwrap();
    let dir = stopped.state.path().join("split");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    for (part, file) in found.parts.iter().enumerate() {
        fs::write(dir.join(part_file(part)), file).unwrap();
    }
    fs::write(dir.join(PLAN_FILE), &found.file).unwrap();
    let plan = dir.join(PLAN_FILE);
    stopped.change("gateway.toml", |config| {
        let artifact = config.lines().find(|line| line.starts_with("artifact = ")).unwrap();
        config.replace(artifact, &format!("artifact = {}", json!(plan)))
    });
    plan
}

/// The gateway's children: the parts of the model, each in a process.
fn workers(gateway: &Gateway) -> Vec<i32> {
    let parent = gateway.pid().to_string();
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let [state, ppid] = [0, 1].map(|at| fields.clone().nth(at).unwrap_or_default());
        ppid == parent && state != "Z"
    };
    pids.filter(is_child).collect()
}

/// What a gateway says of a model that it cannot serve.
struct Refusing {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Refusing {
    fn start(stopped: &Stopped) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let config = stopped.state.path().join("gateway.toml");
        let child = Command::new(binary("sealgate-gateway"))
            .arg("--config")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn wait_for(&self, why: &str) {
        let said = || fs::read_to_string(self.log.path()).unwrap();
        let deadline = Instant::now() + SOON;
        while !said().contains(why) {
            assert!(Instant::now() < deadline, "no `{why}` in {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!said().contains("worker started"), "{}", said());
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn data(body: &Value) -> Vec<f64> {
    let data = body["outputs"][0]["data"].as_array().unwrap();
    data.iter().map(|value| value.as_f64().unwrap()).collect()
}

fn digest(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(fs::read(path).unwrap()))
}

/// A demo's state, and what it takes to ask a gateway on it.
struct Scene {
    stopped: Stopped,
    token: String,
    example: Vec<u8>,
    whole: Vec<f64>,
}

impl Scene {
    fn new() -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let whole = data(&demo.https().post(INFER, &token, &example).json());
        Self { stopped: demo.stop(), token, example, whole }
    }

    fn ask(&self, gateway: &Gateway) -> Reply {
        gateway.https().post(INFER, &self.token, &self.example)
    }
}

#[test]
fn a_split_model_answers_as_the_whole_one_and_its_plan_is_its_identity() {
    let scene = Scene::new();
    for (parts, by, difference) in
        [(2, SplitBy::Layers, 0.0), (2, SplitBy::Columns, 1e-6), (3, SplitBy::Columns, 1e-6)]
    {
        let plan = split_in(&scene.stopped, parts, by);
        let gateway = Gateway::start(&scene.stopped);
        assert_eq!(workers(&gateway).len(), parts, "{by:?}");
        let reply = scene.ask(&gateway);
        assert_eq!(reply.status, 200, "{}", reply.json());
        for (whole, split) in scene.whole.iter().zip(&data(&reply.json())) {
            assert!((whole - split).abs() <= difference, "{by:?}: {whole} and {split}");
        }
        let receipt: Value =
            serde_json::from_str(reply.header("sealgate-receipt").expect("a receipt")).unwrap();
        assert_eq!(receipt["receipt"]["model_digest"], digest(&plan));
        let parts = workers(&gateway);
        gateway.stop();
        wait_until("the parts are gone", SOON, || !parts.iter().any(|pid| is_alive(*pid)));
    }
}

#[test]
fn a_part_that_dies_takes_the_model_down_and_all_of_it_comes_back() {
    let scene = Scene::new();
    split_in(&scene.stopped, 3, SplitBy::Columns);
    let gateway = Gateway::start(&scene.stopped);
    for victim in 0..3 {
        let before = workers(&gateway);
        assert_eq!(before.len(), 3);
        kill(Pid::from_raw(before[victim]), Signal::SIGKILL).unwrap();
        wait_until("all parts anew", SOON, || {
            let now = workers(&gateway);
            now.len() == 3 && now.iter().all(|pid| !before.contains(pid))
        });
        wait_until("an answer", SOON, || scene.ask(&gateway).status == 200);
    }
}

#[test]
fn many_rows_go_through_all_parts_in_their_order() {
    let scene = Scene::new();
    let request: Value = serde_json::from_slice(&scene.example).unwrap();
    let row = request["inputs"][0]["data"].as_array().unwrap().clone();
    // Every third row is the example, and its answer stands where it stood.
    let count = 120;
    let rows: Vec<Value> = (0..count)
        .flat_map(|at| {
            let scale = if at % 3 == 0 { 1.0 } else { 1.0 + f64::from(at) / 500.0 };
            row.iter().map(move |value| json!(value.as_f64().unwrap() * scale)).collect::<Vec<_>>()
        })
        .collect();
    let mut body = request.clone();
    body["inputs"][0]["shape"] = json!([count, row.len()]);
    body["inputs"][0]["data"] = json!(rows);
    let body = body.to_string().into_bytes();
    let ask = |gateway: &Gateway| {
        let reply = gateway.https().post(INFER, &scene.token, &body);
        assert_eq!(reply.status, 200, "{}", reply.json());
        data(&reply.json())
    };
    let gateway = Gateway::start(&scene.stopped);
    let whole = ask(&gateway);
    gateway.stop();
    split_in(&scene.stopped, 2, SplitBy::Layers);
    let gateway = Gateway::start(&scene.stopped);
    assert_eq!(ask(&gateway), whole);
}

#[test]
fn a_split_model_with_a_changed_part_is_never_served() {
    let stopped = Demo::start().stop();
    let plan = split_in(&stopped, 2, SplitBy::Columns);
    for part in 0..2 {
        let file = plan.with_file_name(part_file(part));
        let right = fs::read(&file).unwrap();
        let mut wrong = right.clone();
        let last = wrong.len() - 1;
        wrong[last] ^= 1;
        fs::write(&file, &wrong).unwrap();
        Refusing::start(&stopped)
            .wait_for(&format!("part {part} is not the one that the plan names"));
        fs::write(&file, &right).unwrap();
    }
}

#[test]
fn a_part_alone_is_no_model() {
    let stopped = Demo::start().stop();
    let plan = split_in(&stopped, 2, SplitBy::Columns);
    let part = plan.with_file_name(part_file(0));
    stopped.change("gateway.toml", |config| {
        config.replace(&json!(plan).to_string(), &json!(part).to_string())
    });
    Refusing::start(&stopped).wait_for("a part of a split model");
}

#[test]
fn every_part_stands_behind_the_same_walls() {
    let stopped = Demo::start().stop();
    split_in(&stopped, 2, SplitBy::Layers);
    let gateway = Gateway::start(&stopped);
    assert_eq!(workers(&gateway).len(), 2);
    for pid in workers(&gateway) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
        assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
    }
}
