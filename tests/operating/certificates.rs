//! Certificates that are replaced while the gateway runs, on both listeners and on record.

use std::fs::{self, Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scene::{SOON, Scene};
use crate::support::{Demo, Https, wait_until};

/// Certificate, key and authority of another state, whose authority is another one.
fn others() -> [Vec<u8>; 3] {
    let stopped = Demo::start().stop();
    ["cert.pem", "key.pem", "ca.pem"]
        .map(|file| fs::read(stopped.state.path().join("tls").join(file)).unwrap())
}

fn put(folder: &Path, file: &str, bytes: &[u8]) {
    let beside = folder.join("beside");
    fs::write(&beside, bytes).unwrap();
    set_permissions(&beside, Permissions::from_mode(0o600)).unwrap();
    fs::rename(beside, folder.join(file)).unwrap();
}

#[test]
fn both_listeners_show_a_new_certificate_and_the_record_says_so() {
    let scene = Scene::new("", "");
    let [cert, key, ca] = others();
    let running = scene.start();
    let tls = scene.stopped.state.path().join("tls");
    let theirs = tls.join("other-ca.pem");
    fs::write(&theirs, ca).unwrap();
    let listeners = [running.gateway.https(), running.gateway.admin()];
    let by_other = listeners.map(|https| Https::new(&https.url(), &theirs));
    let is_met = |https: &Https| https.try_request("GET", "/livez", &[], &[]).is_some();
    assert!(listeners.iter().all(|https| is_met(https)));

    put(&tls, "cert.pem", &cert);
    running.gateway.signal(Signal::SIGHUP);
    let records = |kind: &str| -> Vec<Value> {
        let records = scene.stopped.records().into_iter();
        records.filter(|record| record["type"] == kind).map(|mut one| one["event"].take()).collect()
    };
    wait_until("a certificate without its key is refused", SOON, || {
        !records("certificate_refused").is_empty()
    });
    assert!(listeners.iter().all(|https| is_met(https)), "the one before stays");
    put(&tls, "key.pem", &key);
    wait_until("the new one is shown", SOON, || by_other.iter().all(is_met));
    assert!(!listeners.iter().any(|https| is_met(https)));

    wait_until("it is on record", SOON, || !records("certificate_loaded").is_empty());
    let started = records("started").pop().unwrap();
    let loaded = records("certificate_loaded");
    let [loaded] = &loaded[..] else { panic!("{loaded:?}") };
    assert_eq!(loaded["why"], "changed");
    assert_eq!(loaded["previous_digest"], started["config"]["certificate_digest"]);
    assert_ne!(loaded["previous_digest"], loaded["certificate_digest"]);
    let refused = records("certificate_refused");
    assert_eq!(refused[0]["why"], "sighup");
    assert_eq!(refused[0]["certificate_digest"], loaded["previous_digest"]);

    let metrics = by_other[1].get("/metrics", &scene.operator);
    let text = String::from_utf8(metrics.body).unwrap();
    let until = format!(
        "\nsealgate_tls_certificate_not_after_seconds {}\n",
        loaded["not_after_s"].as_u64().unwrap()
    );
    assert!(text.contains(&until), "{text}");
    assert!(text.contains("sealgate_tls_certificate_reloads_total{result=\"loaded\"} 1\n"));
    let log = running.gateway.stop();
    assert!(log.contains("the last good certificate stays in force"), "{log}");
}
