//! Models that change while the gateway runs: versions, labels, weights, sealed files.

#![allow(clippy::print_stdout, reason = "how many answers there were belongs into the report")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sealgate_keys::Secret;
use sealgate_keys::at_rest::{KeyFileKek, seal};
use serde_json::Value;
use sha2::{Digest, Sha256};
use support::{Demo, Gateway, Https, Reply, Stopped, grpc, sealgate, stdout, wait_until};

const MODEL: &str = "breast-cancer";
const INFER: &str = "/v2/models/breast-cancer/infer";
const SOON: Duration = Duration::from_secs(30);

/// A gateway on a repository, and two models to put there.
struct Scene {
    stopped: Stopped,
    one: Vec<u8>,
    other: Vec<u8>,
    token: String,
    operator: String,
    example: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
        let stopped = demo.stop();
        let one = fs::read(artifact_of(&stopped)).unwrap();
        let out = stopped.state.path().join("other");
        let arguments = ["model", "train", "--skip-validation", "--seed", "7", "--out"];
        stdout(&sealgate(&[&arguments[..], &[out.to_str().unwrap()]].concat()));
        let other = fs::read(find(&out, "safetensors").unwrap()).unwrap();
        assert_ne!(one, other);
        let scene = Self { stopped, one, other, token, operator, example };
        scene.stopped.change("gateway.toml", |text| {
            let (before, models) = text.split_once("[[models]]").unwrap();
            let after = models.find("\n[").map_or("", |at| &models[at..]);
            let dir = scene.repository();
            format!("{before}[repository]\ndir = {dir:?}\n{after}")
        });
        scene
    }

    fn repository(&self) -> PathBuf {
        self.stopped.state.path().join("repository")
    }

    fn file(&self, version: &str, name: &str) -> PathBuf {
        self.repository().join(MODEL).join(version).join(name)
    }

    /// Puts a file in its place at once, as anybody should.
    fn put(&self, version: &str, name: &str, bytes: &[u8]) {
        let file = self.file(version, name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let new = file.with_extension("new");
        fs::write(&new, bytes).unwrap();
        fs::rename(new, file).unwrap();
    }

    fn put_artifact(&self, version: &str, bytes: &[u8]) {
        self.put(version, "model.safetensors", bytes);
    }

    fn standing(&self, gateway: &Gateway) -> Value {
        gateway.admin().get("/v1/admin/standing", &self.operator).json()
    }

    /// The digests of the versions that answer.
    fn served(&self, gateway: &Gateway) -> BTreeMap<String, String> {
        let standing = self.standing(gateway);
        let ready =
            standing["models"].as_array().unwrap().iter().filter(|one| one["ready"] == true);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        ready.map(|one| (text(&one["version"]), text(&one["digest"]))).collect()
    }

    fn wait_for(&self, gateway: &Gateway, version: &str, artifact: &[u8]) {
        let digest = hex::encode(Sha256::digest(artifact));
        wait_until("the version", SOON, || self.served(gateway).get(version) == Some(&digest));
    }

    fn wait_for_refusal(&self, gateway: &Gateway, version: &str, why: &str) {
        wait_until("a refusal", SOON, || {
            let standing = self.standing(gateway);
            let refused = standing["models_refused"].as_array().unwrap().clone();
            refused
                .iter()
                .any(|one| one["version"] == version && one["why"].as_str().unwrap().contains(why))
        });
    }

    /// Name, version and state as clients see them, and why something is not there.
    fn index(&self, gateway: &Gateway, token: &str) -> Vec<[String; 3]> {
        let index = gateway.https().post("/v2/repository/index", token, b"").json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let told = |one: &Value| ["version", "state", "reason"].map(|name| text(&one[name]));
        index.as_array().unwrap().iter().map(told).collect()
    }

    fn ask(&self, https: &Https, path: &str) -> Reply {
        https.post(path, &self.token, &self.example)
    }
}

fn artifact_of(stopped: &Stopped) -> PathBuf {
    let text = fs::read_to_string(stopped.state.path().join("gateway.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("artifact")).unwrap();
    PathBuf::from(line.split('"').nth(1).unwrap())
}

fn find(dir: &Path, extension: &str) -> Option<PathBuf> {
    if dir.is_file() {
        return Some(dir.to_owned());
    }
    fs::read_dir(dir).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, extension)
        } else {
            (path.extension()? == extension).then_some(path)
        }
    })
}

fn version_and_score(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let told = reply.json();
    let version = told["model_version"].as_str().unwrap().to_owned();
    (version, told["outputs"][0]["data"].to_string())
}

/// How often a version is replaced. A thousand take some two minutes.
fn swaps() -> usize {
    std::env::var("SWAPS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

#[test]
fn a_version_is_replaced_under_load_without_a_failed_request() {
    let scene = Arc::new(Scene::new());
    scene.put_artifact("1", &scene.one);
    let gateway = Gateway::start(&scene.stopped);
    scene.wait_for(&gateway, "1", &scene.one);
    let own = version_and_score(&scene.ask(gateway.https(), INFER)).1;
    let over = Arc::new(AtomicBool::new(false));
    let scores = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (scene, over, scores) = (scene.clone(), over.clone(), scores.clone());
            let https = gateway.https().clone();
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let (version, score) = version_and_score(&scene.ask(&https, INFER));
                    assert_eq!(version, "1");
                    *scores.lock().unwrap().entry(score).or_default() += 1;
                }
            })
        })
        .collect();
    for swap in 0..swaps() {
        let next = if swap % 2 == 0 { &scene.other } else { &scene.one };
        scene.put_artifact("1", next);
        gateway.signal(nix::sys::signal::Signal::SIGHUP);
        scene.wait_for(&gateway, "1", next);
        assert!(callers.iter().all(|caller| !caller.is_finished()), "a request failed");
    }
    over.store(true, Ordering::Relaxed);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    let scores = scores.lock().unwrap();
    assert_eq!(scores.len(), 2, "each model answered, and nothing else: {scores:?}");
    assert!(scores.contains_key(&own));
    println!("{} answers over {} swaps", scores.values().sum::<usize>(), swaps());
    // What was replaced has ended.
    wait_until("one worker", SOON, || {
        scene.standing(&gateway)["workers"].as_array().unwrap().len() == 1
    });
}

#[test]
fn nothing_that_is_wrong_replaces_what_is_right() {
    let scene = Scene::new();
    scene.put_artifact("1", &scene.one);
    let gateway = Gateway::start(&scene.stopped);
    scene.wait_for(&gateway, "1", &scene.one);
    let good = version_and_score(&scene.ask(gateway.https(), INFER));
    let cut = &scene.other[..scene.other.len() / 2];
    let mut head = scene.other.clone();
    head[40] ^= 1;
    for (bytes, why) in [
        (cut, "safetensors"),
        (&head[..], ""),
        (b"", "unexpected end of file"),
        (b"PK\x03\x04", "safetensors"),
    ] {
        scene.put_artifact("1", bytes);
        gateway.signal(nix::sys::signal::Signal::SIGHUP);
        scene.wait_for_refusal(&gateway, "1", why);
        assert_eq!(version_and_score(&scene.ask(gateway.https(), INFER)), good);
    }
    // One flipped bit of a weight, which leaves the file well formed: its `.sha256` tells.
    let mut weight = scene.other.clone();
    *weight.last_mut().unwrap() ^= 1;
    let promise = format!("{}  model.safetensors\n", hex::encode(Sha256::digest(&scene.other)));
    scene.put("1", "model.safetensors.sha256", promise.as_bytes());
    scene.put_artifact("1", &weight);
    scene.wait_for_refusal(&gateway, "1", ".sha256");
    assert_eq!(version_and_score(&scene.ask(gateway.https(), INFER)), good);
    scene.put_artifact("1", &scene.other);
    scene.wait_for(&gateway, "1", &scene.other);
    assert_ne!(version_and_score(&scene.ask(gateway.https(), INFER)), good);
    assert_eq!(scene.standing(&gateway)["models_refused"], serde_json::json!([]));
}

#[test]
fn what_becomes_of_versions_is_on_record_with_their_digests() {
    let scene = Scene::new();
    let [one, other] = [&scene.one, &scene.other].map(|file| hex::encode(Sha256::digest(file)));
    scene.put_artifact("1", &scene.one);
    let gateway = Gateway::start(&scene.stopped);
    scene.wait_for(&gateway, "1", &scene.one);
    scene.put_artifact("1", b"no model");
    scene.wait_for_refusal(&gateway, "1", "");
    scene.put_artifact("1", &scene.other);
    scene.wait_for(&gateway, "1", &scene.other);
    scene.put_artifact("2", &scene.one);
    wait_until("two versions", SOON, || scene.served(&gateway).len() == 2);
    fs::remove_dir_all(scene.repository().join(MODEL).join("2")).unwrap();
    wait_until("one version", SOON, || scene.served(&gateway).len() == 1);
    gateway.stop();
    let of = |record: Value| {
        let word = |name: &str| record["event"][name].as_str().unwrap_or_default().to_owned();
        let kind = record["type"].as_str()?.strip_prefix("version_")?.to_owned();
        assert_eq!(word("model"), MODEL);
        Some([kind, word("version"), word("model_digest"), word("replaces")])
    };
    let told: Vec<_> = scene.stopped.records().into_iter().filter_map(of).collect();
    let expected = [
        ["served", "1", &one, ""],
        ["refused", "1", "", ""],
        ["served", "1", &other, &one],
        ["served", "2", &one, ""],
        ["withdrawn", "2", &one, ""],
    ];
    assert_eq!(told, expected.map(|record| record.map(str::to_owned)));
}

#[test]
fn requests_go_to_the_newest_version_or_by_weight_and_labels_name_versions() {
    let scene = Scene::new();
    scene.stopped.without_policy_tests();
    scene.put_artifact("9", &scene.one);
    let gateway = Gateway::start(&scene.stopped);
    scene.wait_for(&gateway, "9", &scene.one);
    scene.put_artifact("10", &scene.other);
    scene.wait_for(&gateway, "10", &scene.other);
    let version = |path: &str| version_and_score(&scene.ask(gateway.https(), path)).0;
    assert_eq!(version(INFER), "10");
    assert_eq!(version("/v2/models/breast-cancer/versions/9/infer"), "9");
    let unknown = scene.ask(gateway.https(), "/v2/models/breast-cancer/versions/8/infer");
    assert_eq!(unknown.status, 404, "{}", String::from_utf8_lossy(&unknown.body));

    scene.stopped.change("policies/models.toml", |text| {
        let at = "[models.breast-cancer]\n";
        let more = "labels = { stable = \"9\" }\ntraffic = { 9 = 1, 10 = 1 }\n";
        text.replace(at, &format!("{at}{more}"))
    });
    let label = "/v2/models/breast-cancer/versions/stable/infer";
    wait_until("the label", SOON, || scene.ask(gateway.https(), label).status == 200);
    assert_eq!(version(label), "9");
    let row: Value = serde_json::from_slice(&scene.example).unwrap();
    let row = row["inputs"][0]["data"].as_array().unwrap().clone();
    let v1 = "/v1/models/breast-cancer/versions/stable:predict";
    let instances = serde_json::json!({"instances": [row]}).to_string();
    let reply = gateway.https().post(v1, &scene.token, instances.as_bytes());
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let le: Vec<u8> =
        row.iter().flat_map(|one| (one.as_f64().unwrap() as f32).to_le_bytes()).collect();
    let message = grpc::infer(MODEL, "stable", [1, 30], &le);
    let called = grpc::call(gateway.https(), "ModelInfer", Some(&scene.token), &message);
    assert_eq!((called.status, called.fields(2)), (0, vec![&b"9"[..]]), "{called:?}");
    let seen: BTreeSet<_> = (0..64).map(|_| version(INFER)).collect();
    assert_eq!(seen, BTreeSet::from(["9".to_owned(), "10".to_owned()]));

    // A version that is taken away gets no more of them.
    fs::remove_dir_all(scene.repository().join(MODEL).join("10")).unwrap();
    wait_until("one version", SOON, || scene.served(&gateway).len() == 1);
    assert!((0..16).all(|_| version(INFER) == "9"));
}

#[test]
fn imported_models_of_every_task_answer_as_their_framework_did() {
    let scene = Scene::new();
    scene.put_artifact("1", &scene.one);
    let gateway = Gateway::start(&scene.stopped);
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../model-import/tests/fixtures");
    for (version, name) in
        [("2", "sklearn_multiclass"), ("3", "sklearn_multilabel"), ("4", "sklearn_regressor")]
    {
        let out = scene.stopped.state.path().join(name);
        let file = format!("{fixtures}/{name}.onnx");
        let arguments = ["model", "import", &file, "--name", MODEL, "--out", out.to_str().unwrap()];
        stdout(&sealgate(&arguments));
        let artifact = fs::read(find(&out, "safetensors").unwrap()).unwrap();
        scene.put_artifact(version, &artifact);
        scene.wait_for(&gateway, version, &artifact);
        let expected = fs::read(format!("{fixtures}/{name}.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let path = format!("/v1/models/{MODEL}/versions/{version}:predict");
        let body = serde_json::json!({"instances": expected["inputs"]}).to_string();
        let reply = gateway.https().post(&path, &scene.token, body.as_bytes());
        assert_eq!(reply.status, 200, "{name}: {}", String::from_utf8_lossy(&reply.body));
        let numbers = |rows: &Value| -> Vec<f64> {
            let rows = rows.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
            rows.map(|number| number.as_f64().unwrap()).collect()
        };
        let found = numbers(&reply.json()["predictions"]);
        let wanted = numbers(&expected["outputs"]);
        assert_eq!(found.len(), wanted.len(), "{name}");
        let apart = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-5, "{name}: {apart}");
    }
}

#[test]
fn the_index_has_the_versions_that_are_served_and_for_operators_what_was_refused() {
    let scene = Scene::new();
    scene.put_artifact("9", &scene.one);
    scene.put_artifact("10", &scene.other);
    let gateway = Gateway::start(&scene.stopped);
    scene.wait_for(&gateway, "10", &scene.other);
    scene.wait_for(&gateway, "9", &scene.one);
    scene.put_artifact("10", b"PK\x03\x04");
    scene.put_artifact("11", b"PK\x03\x04");
    scene.wait_for_refusal(&gateway, "10", "safetensors");
    scene.wait_for_refusal(&gateway, "11", "safetensors");
    let ready = |version: &str| [version, "READY", ""].map(str::to_owned);
    assert_eq!(scene.index(&gateway, &scene.token), [ready("9"), ready("10")]);
    // Operators may not describe the model, only what is wrong with it.
    let seen = scene.index(&gateway, &scene.operator);
    let told: Vec<_> = seen.iter().map(|[version, state, _]| [version, state]).collect();
    assert_eq!(told, [["10", "UNAVAILABLE"], ["11", "UNAVAILABLE"]]);
    assert!(seen.iter().all(|[.., why]| why.contains("safetensors")), "{seen:?}");
}

#[test]
fn a_sealed_model_is_opened_by_its_worker_alone_and_only_under_its_key() {
    let scene = Scene::new();
    let key = [7_u8; 32];
    let key_file = scene.stopped.state.path().join("keys/model.kek");
    write_private(&key_file, &key);
    scene.stopped.change("gateway.toml", |text| format!("{text}\n[kek]\nfiles = [{key_file:?}]\n"));
    let sealed = |key, artifact: &[u8]| {
        seal(artifact, &[&KeyFileKek::new(Secret::from_bytes(key))]).unwrap()
    };
    scene.put("1", "model.sealed", &sealed(key, &scene.one));
    let gateway = Gateway::start(&scene.stopped);
    scene.wait_for(&gateway, "1", &scene.one);
    let good = version_and_score(&scene.ask(gateway.https(), INFER));

    scene.put("1", "model.sealed", &sealed([8; 32], &scene.other));
    scene.wait_for_refusal(&gateway, "1", "none of the `[kek]` opens it");
    let mut torn = sealed(key, &scene.other);
    *torn.last_mut().unwrap() ^= 1;
    scene.put("1", "model.sealed", &torn);
    scene.wait_for_refusal(&gateway, "1", "the sealed file does not open");
    assert_eq!(version_and_score(&scene.ask(gateway.https(), INFER)), good);

    scene.put("1", "model.sealed", &sealed(key, &scene.other));
    scene.wait_for(&gateway, "1", &scene.other);
    assert_ne!(version_and_score(&scene.ask(gateway.https(), INFER)), good);
}

fn write_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
