//! Models of a repository: unloaded while nobody asks, and, sealed, in clear on no disk.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use sealgate_keys::Secret;
use sealgate_keys::at_rest::{KeyFileKek, seal};

use crate::scene::{INFER, KEYS, QUICK, Running, SOON, Scene};
use crate::support::{Gateway, sealgate, wait_until};

/// A gateway whose only models lie in a folder, scaled as `settings` say.
fn scene(settings: &str) -> Scene {
    let scene = Scene::new("");
    scene.stopped.change("gateway.toml", |text| {
        let (before, models) = text.split_once("[[models]]").unwrap();
        let after = models.find("\n[").map_or("", |at| &models[at..]);
        let dir = repository(&scene);
        format!("{before}[repository]\ndir = {dir:?}\n{settings}\n{after}")
    });
    scene
}

fn repository(scene: &Scene) -> PathBuf {
    scene.stopped.state.path().join("repository")
}

fn put(scene: &Scene, name: &str, bytes: &[u8]) {
    let dir = repository(scene).join("breast-cancer/1");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("new"), bytes).unwrap();
    fs::rename(dir.join("new"), dir.join(name)).unwrap();
}

fn trained(scene: &Scene) -> PathBuf {
    scene.stopped.state.path().join("models/breast-cancer/1/model.safetensors")
}

#[test]
fn a_model_of_the_repository_is_unloaded_when_nobody_asks_and_loaded_when_somebody_does() {
    let scene = scene(&format!("scaling = {{ min = 0, max = 2, {QUICK}, idle_grace_ms = 300 }}"));
    put(&scene, "model.safetensors", &fs::read(trained(&scene)).unwrap());
    let running = scene.start();
    wait_until("no worker", SOON, || running.worker_pids().is_empty());
    assert_eq!(running.ask(&scene.token).status, 200);
    assert_eq!(running.worker_pids().len(), 1);
    wait_until("no worker again", SOON, || running.worker_pids().is_empty());
}

#[test]
fn an_order_ends_the_workers_of_a_version_that_was_replaced_too() {
    let scene = scene("");
    put(&scene, "model.safetensors", &fs::read(trained(&scene)).unwrap());
    let running = scene.start();
    let before = running.only_worker();
    let https = running.gateway.https();
    assert_eq!(https.get(KEYS, &scene.token).status, 200, "clients have its keys, so it stays");
    let other = scene.stopped.state.path().join("other");
    let train = ["model", "train", "--skip-validation", "--seed", "7", "--out"];
    sealgate(&[&train[..], &[other.to_str().unwrap()]].concat());
    put(&scene, "model.safetensors", &fs::read(other.join("model.safetensors")).unwrap());
    wait_until("the other worker", SOON, || running.only_worker() != before);
    let lives = || Path::new(&format!("/proc/{before}/exe")).exists();
    assert!(lives());

    let order = br#"{"order":"end_workers","model":"breast-cancer"}"#;
    let orders = "/v1/admin/emergency";
    assert_eq!(running.gateway.admin().post(orders, &scene.operator, order).status, 200);
    // What is replaced stays for minutes otherwise.
    wait_until("its end", SOON, || !lives());
}

#[test]
fn a_sealed_model_that_is_served_lies_in_clear_on_no_disk() {
    let scene = scene("");
    let artifact = fs::read(trained(&scene)).unwrap();
    let needles = pieces(&artifact);
    let state = scene.stopped.state.path();
    assert_eq!(files_with(&needles, state), [trained(&scene)], "the search finds nothing");

    let key = state.join("keys/model.kek");
    fs::write(&key, [7; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    scene.stopped.change("gateway.toml", |text| format!("{text}\n[kek]\nfiles = [{key:?}]\n"));
    let sealed = seal(&artifact, &[&KeyFileKek::new(Secret::from_bytes([7; 32]))]).unwrap();
    put(&scene, "model.sealed", &sealed);
    fs::remove_file(trained(&scene)).unwrap();

    let temporary = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_with_env(&scene.stopped, &[("TMPDIR", temporary.path())]);
    let running = Running { scene: &scene, gateway };
    wait_until("an answer", SOON, || running.ask(&scene.token).status == 200);
    assert_eq!(running.gateway.https().post(INFER, &scene.token, &scene.example).status, 200);
    for folder in [state, temporary.path()] {
        assert_eq!(files_with(&needles, folder), Vec::<PathBuf>::new(), "while it is served");
    }
    running.gateway.stop();
    for folder in [state, temporary.path()] {
        assert_eq!(files_with(&needles, folder), Vec::<PathBuf>::new(), "after it was served");
    }
}

/// What tells an artifact: bytes of its head and of its weights.
fn pieces(artifact: &[u8]) -> AhoCorasick {
    let starts = (0..8).map(|at| at * (artifact.len() - 24) / 7);
    AhoCorasick::new(starts.map(|start| &artifact[start..start + 24])).unwrap()
}

fn files_with(needles: &AhoCorasick, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(needles, &path));
        } else if path.is_file() && needles.is_match(&fs::read(&path).unwrap()) {
            found.push(path);
        }
    }
    found
}
