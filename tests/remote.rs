//! Workers on other hosts: real processes on loopback, with certificates made in the test.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/hosts.rs"]
mod hosts;
#[path = "support/process.rs"]
mod process;
#[path = "support/sealed.rs"]
mod sealed;
mod support;

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hosts::{Certificates, Host, WORKER, Wire};
use process::{PATIENCE, Paused};
use sealgate_keys::ohttp::Kem;
use sealgate_model::Artifact;
use sealgate_model::split::{PLAN_FILE, part_file};
use sealgate_model_builder::{SplitBy, split};
use serde_json::{Value, json};
use support::{Demo, Gateway, Reply, Stopped, binary, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";

/// The state of a demo whose gateway has its workers elsewhere.
struct Scene {
    stopped: Stopped,
    certificates: Certificates,
    token: String,
    operator: String,
    example: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
        Self { stopped: demo.stop(), certificates: Certificates::new(), token, operator, example }
    }

    fn host(&self, more: &str) -> Host {
        let operator = self.stopped.state.path().join("operator.key");
        Host::start(&self.certificates, &operator, more)
    }

    /// Has the gateway look for its workers there. `change` may spoil it.
    fn look_at(&self, addresses: &[SocketAddr], change: impl Fn(String) -> String) {
        let file = |name| self.certificates.path(name);
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let remote = change(format!(
            "[worker.remote]\naddresses = {addresses:?}\nserver_name = \"{WORKER}\"\n\
             ca = {:?}\ncert = {:?}\nkey = {:?}\n",
            file("ca.pem"),
            file("gateway.pem"),
            file("gateway.key"),
        ));
        self.stopped.change("gateway.toml", |text| {
            let kept = text.lines().filter(|line| !line.starts_with("config = "));
            let kept = kept.collect::<Vec<_>>().join("\n");
            let (before, after) = kept.split_once("[attestation]").unwrap();
            let before = before.split_once("[worker.remote]").map_or(before, |(before, _)| before);
            format!("{before}\n{remote}\n[attestation]{after}")
        });
    }

    fn ask(&self, gateway: &Gateway) -> Reply {
        gateway.https().post(INFER, &self.token, &self.example)
    }

    fn workers(&self, gateway: &Gateway) -> Vec<Value> {
        let standing = gateway.admin().get("/v1/admin/standing", &self.operator).json();
        standing["workers"].as_array().unwrap().clone()
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        let records = self.stopped.records().into_iter();
        records.filter(|r| r["type"] == kind).map(|mut r| r["event"].take()).collect()
    }

    /// What a gateway has against its configuration.
    fn checked(&self) -> String {
        let output = Command::new(binary("sealgate-gateway"))
            .args(["--check", "--config"])
            .arg(self.stopped.state.path().join("gateway.toml"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let errors = said.lines().filter(|line| line.starts_with("error:"));
        let errors = errors.collect::<Vec<_>>().join("\n");
        assert_eq!(output.status.code(), Some(if errors.is_empty() { 0 } else { 78 }), "{said}");
        errors
    }

    /// The first word of a gateway about its worker, which must be a refusal.
    fn refused(&self) -> String {
        let mut child = Command::new(binary("sealgate-gateway"))
            .arg("--config")
            .arg(self.stopped.state.path().join("gateway.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|event| !event["event"].as_str().unwrap().ends_with("listening"));
        child.kill().unwrap();
        child.wait().unwrap();
        let told = told.expect("a word about the worker");
        assert_eq!(told["event"], "worker_failed", "{told}");
        told["why"].as_str().unwrap().to_owned()
    }
}

fn as_it_is(remote: String) -> String {
    remote
}

#[test]
fn a_worker_of_another_host_serves_both_modes_and_nobody_else_meanwhile() {
    let scene = Scene::new();
    let host = scene.host("");
    scene.look_at(&[host.address()], as_it_is);
    let gateway = Gateway::start(&scene.stopped);
    wait_until("an answer", PATIENCE, || scene.ask(&gateway).status == 200);
    let inner = sealed::inner(&scene.example);
    let answer = sealed::ask(gateway.https(), &scene.token, &inner);
    assert_eq!(answer.status, 200);

    let at = host.address().to_string();
    let workers = scene.workers(&gateway);
    assert_eq!((&workers[0]["address"], &workers[0]["pid"]), (&json!(at), &Value::Null));
    let started = scene.records("worker_started").pop().unwrap();
    assert_eq!((&started["address"], &started["pid"]), (&json!(at), &json!(0)));
    assert_eq!(started["evidence"], "software", "judged as ever");

    let second = TcpStream::connect(host.address()).map_err(|error| error.kind());
    assert_eq!(second.err(), Some(ErrorKind::ConnectionRefused), "it has its gateway");
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    assert!(status.contains("Seccomp:\t2"), "{status}");

    let order = json!({"order": "end_workers", "address": at}).to_string();
    let told = gateway.admin().post("/v1/admin/emergency", &scene.operator, order.as_bytes());
    assert_eq!(told.json()["workers"], 1);
    wait_until("another worker answers", PATIENCE, || {
        host.starts() >= 2 && scene.ask(&gateway).status == 200
    });
    gateway.stop();
    wait_until("its keys are gone with it", PATIENCE, || host.starts() >= 3);
    let ended = scene.records("worker_ended");
    let there: Vec<_> = ended.iter().filter(|event| event["address"] == at).collect();
    assert!(there.len() == 2 && there.iter().all(|event| event["why"] == "let go"), "{ended:?}");
}

#[test]
fn a_wire_that_is_cut_costs_the_requests_on_it_and_the_model_comes_back() {
    let scene = Scene::new();
    let host = scene.host("");
    let wire = Wire::to(host.address());
    scene.look_at(&[wire.address()], as_it_is);
    let gateway = Gateway::start(&scene.stopped);
    wait_until("an answer", PATIENCE, || scene.ask(&gateway).status == 200);
    let list = sealed::key_list(gateway.https(), &scene.token);
    let (sealed, _) = sealed::sealed(&list, Kem::X25519, &sealed::inner(&scene.example));

    let before = scene.records("decision").len();
    let paused = Paused::new(host.pid());
    let replies = thread::scope(|scope| {
        let plain = scope.spawn(|| scene.ask(&gateway));
        let sealed = scope.spawn(|| sealed::post(gateway.https(), &scene.token, &sealed));
        wait_until("both are decided", PATIENCE, || scene.records("decision").len() >= before + 2);
        // On record a moment before they are sent.
        thread::sleep(Duration::from_millis(100));
        wire.cut();
        [plain.join().unwrap(), sealed.join().unwrap()]
    });
    for reply in &replies {
        assert_eq!((reply.status, reply.code().as_str()), (503, "worker_lost"));
    }
    drop(paused);
    wait_until("the model is back", PATIENCE, || scene.ask(&gateway).status == 200);
    assert_eq!(host.starts(), 2, "another process, with keys of its own");
    // What was sent was never sent again, least of all what the client sealed.
    assert!(scene.records("retried").is_empty());
    let ids = replies.each_ref().map(|reply| reply.header("sealgate-request-id").unwrap());
    let outcomes = scene.records("outcome");
    for id in ids {
        assert_eq!(outcomes.iter().filter(|outcome| outcome["request_id"] == id).count(), 1);
    }
    let ended = scene.records("worker_ended").pop().unwrap();
    assert_eq!(ended["why"], "its connection ended");
    assert_eq!(scene.ask(&gateway).status, 200, "and nobody is held to have crashed it");
}

#[test]
fn a_worker_that_is_killed_again_and_again_under_load_loses_nothing_that_it_did_not_have() {
    let scene = Scene::new();
    let hosts = [scene.host(""), scene.host("")];
    scene.look_at(&hosts.each_ref().map(Host::address), as_it_is);
    scene
        .stopped
        .change("gateway.toml", |text| text.replace("[[models]]", "[[models]]\nreplicas = 2"));
    let gateway = Gateway::start(&scene.stopped);
    wait_until("two workers", PATIENCE, || scene.workers(&gateway).len() == 2);
    let deadline = Instant::now() + Duration::from_secs(4);
    let (answered, refused) = thread::scope(|scope| {
        let askers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (mut answered, mut refused) = (0, 0);
                    while Instant::now() < deadline {
                        let reply = scene.ask(&gateway);
                        let code = if reply.status == 200 { String::new() } else { reply.code() };
                        match (reply.status, code.as_str()) {
                            (200, _) => answered += 1,
                            (503, "worker_lost" | "worker_unavailable" | "worker_failing") => {
                                refused += 1;
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                    (answered, refused)
                })
            })
            .collect();
        for turn in 0..6 {
            thread::sleep(Duration::from_millis(500));
            let worker = nix::unistd::Pid::from_raw(hosts[turn % 2].pid());
            let _ = nix::sys::signal::kill(worker, nix::sys::signal::Signal::SIGKILL);
        }
        askers
            .into_iter()
            .map(|one| one.join().unwrap())
            .fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    });
    assert!(answered > refused, "{answered} answered, {refused} refused");
    wait_until("both are back", PATIENCE, || scene.workers(&gateway).len() == 2);
    assert_eq!(scene.ask(&gateway).status, 200);
}

#[test]
fn nobody_but_the_pinned_gateway_gets_a_session() {
    let scene = Scene::new();
    let host = scene.host("");
    scene.look_at(&[host.address()], |remote| {
        remote.replace("gateway.pem", "colleague.pem").replace("gateway.key", "colleague.key")
    });
    // In TLS 1.3 the client learns only afterwards that its certificate was refused.
    let why = scene.refused();
    assert!(why.contains("hop's socket failed") || why.contains("no connection"), "{why}");
    wait_until("the worker says so", PATIENCE, || host.log().contains("not the gateway"));
    assert!(!host.log().contains("the gateway is here"));

    scene.look_at(&[host.address()], as_it_is);
    let gateway = Gateway::start(&scene.stopped);
    wait_until("an answer", PATIENCE, || scene.ask(&gateway).status == 200);
    assert_eq!(host.starts(), 1, "it went on waiting");
}

#[test]
fn no_worker_but_one_of_the_authority_and_the_name_gets_a_model() {
    let scene = Scene::new();
    let host = scene.host("");
    let others = Certificates::new();
    let other = others.path("ca.pem").display().to_string();
    let own = scene.certificates.path("ca.pem").display().to_string();
    scene.look_at(&[host.address()], |remote| remote.replace(&own, &other));
    let why = scene.refused();
    assert!(why.contains("invalid peer certificate"), "{why}");
    scene.look_at(&[host.address()], |remote| remote.replace(WORKER, "another.test"));
    let why = scene.refused();
    assert!(why.contains("not valid for name"), "{why}");
    assert!(!host.log().contains("the gateway is here"));
}

#[test]
fn a_worker_that_the_pinned_key_does_not_vouch_for_gets_no_model() {
    let scene = Scene::new();
    let host = scene.host("");
    scene.look_at(&[host.address()], as_it_is);
    let pin = scene.stopped.fact("evidence_pin").to_owned();
    let other = sealgate_keys::Base64([7; 32].to_vec()).encode();
    scene.stopped.change("gateway.toml", |text| text.replace(&pin, &other));
    let why = scene.refused();
    assert!(why.contains("evidence is refused"), "{why}");
    wait_until("its process ends with the connection", PATIENCE, || host.starts() >= 2);
}

#[test]
fn a_worker_that_is_let_go_may_be_had_again_and_there_are_no_more_than_addresses() {
    let scene = Scene::new();
    let host = scene.host("");
    scene.look_at(&[host.address()], as_it_is);
    scene.stopped.change("gateway.toml", |text| {
        let quick = "tick_ms = 100, panic_window_ms = 200, stable_window_ms = 800";
        let scaling = format!("scaling = {{ min = 0, max = 3, {quick}, idle_grace_ms = 200 }}");
        text.replace("[[models]]", &format!("[[models]]\n{scaling}"))
    });
    let gateway = Gateway::start(&scene.stopped);
    let pool = || {
        let pools = gateway.admin().get("/v1/admin/pools", &scene.operator).json();
        pools["pools"][0].clone()
    };
    assert_eq!(pool()["max"], 1, "of one address there is one worker");
    for turn in 1..=2 {
        wait_until("it is let go", PATIENCE, || scene.workers(&gateway).is_empty());
        wait_until("another waits", PATIENCE, || host.starts() > turn);
        wait_until("an answer", PATIENCE, || scene.ask(&gateway).status == 200);
    }
}

#[test]
fn what_remote_workers_cannot_do_is_said_before_a_port_is_bound() {
    let scene = Scene::new();
    let nowhere = [SocketAddr::from(([127, 0, 0, 1], 1))];
    scene.look_at(&nowhere, as_it_is);
    assert_eq!(scene.checked(), "");
    let config = |change: &dyn Fn(&str) -> String, why: &str| {
        let path = scene.stopped.state.path().join("gateway.toml");
        let right = std::fs::read_to_string(&path).unwrap();
        let wrong = change(&right);
        assert_ne!(right, wrong);
        std::fs::write(&path, wrong).unwrap();
        let said = scene.checked();
        assert!(said.contains(why), "no `{why}` in {said}");
        std::fs::write(&path, right).unwrap();
    };
    config(&|text| text.replace("[worker]\n", "[worker]\nspares = 1\n"), "this gateway starts");
    config(&|text| text.replace("[[models]]", "[[models]]\nreplicas = 2"), "2 workers always run");
    config(&|text| text.replace("server_name = \"worker.test\"\n", ""), "server_name");
    let dir = scene.stopped.state.path();
    let artifact = std::fs::read(dir.join("models/breast-cancer/1/model.safetensors")).unwrap();
    let artifact = Artifact::parse(&artifact).unwrap();
    let split = split(&artifact, 2, SplitBy::Layers).unwrap();
    let plan = dir.join(PLAN_FILE);
    std::fs::write(&plan, &split.file).unwrap();
    for (part, file) in split.parts.iter().enumerate() {
        std::fs::write(dir.join(part_file(part)), file).unwrap();
    }
    let whole =
        |text: &str| text.lines().find(|line| line.starts_with("artifact = ")).unwrap().to_owned();
    config(
        &|text| text.replace(&whole(text), &format!("artifact = {plan:?}")),
        "`breast-cancer` is split",
    );
    assert_eq!(scene.checked(), "");
}

#[test]
fn who_shakes_no_hands_is_dropped_and_the_next_ones_turn_comes() {
    let scene = Scene::new();
    let host = scene.host("");
    let silent = TcpStream::connect(host.address()).unwrap();
    scene.look_at(&[host.address()], as_it_is);
    let begun = Instant::now();
    wait_until("the silent one is dropped", PATIENCE, || host.log().contains("not the gateway"));
    assert!(begun.elapsed() < Duration::from_secs(10));
    let gateway = Gateway::start(&scene.stopped);
    wait_until("an answer", PATIENCE, || scene.ask(&gateway).status == 200);
    drop(silent);
}
