//! Tenants that share no worker.

use std::collections::BTreeSet;
use std::fs;

use crate::scene::{KEYS, Scene};
use crate::support::{sealgate, stdout};

#[test]
fn tenants_with_workers_of_their_own_share_no_process_and_no_key() {
    let scene = Scene::new("replicas = 1");
    scene.stopped.without_policy_tests();
    scene.stopped.change("policies/models.toml", |text| {
        text.replace("[models.breast-cancer]", "[models.breast-cancer]\nworkers = \"per-tenant\"")
    });
    let rules = scene.stopped.state.path().join("policies/rules");
    let apart = fs::read_dir(&rules).unwrap().map(|entry| entry.unwrap().path());
    let apart: Vec<_> = apart
        .filter(|path| fs::read_to_string(path).unwrap().contains("@id(\"tenants-stay-apart\")"))
        .collect();
    let [apart] = apart.as_slice() else { panic!("{apart:?}") };
    fs::remove_file(apart).unwrap();
    let state = scene.stopped.state.path().to_str().unwrap();
    let nurse = ["--subject", "nurse", "--group", "clinicians", "--scope", "infer"];
    let arguments = [&["token", "--state", state, "--tenant", "lakeside-clinic"], &nurse[..]];
    let other = stdout(&sealgate(&arguments.concat())).trim().to_owned();
    let running = scene.start();
    let reply = running.ask(&other);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));

    let pools = running.pools();
    let tenants: BTreeSet<_> = pools.iter().filter_map(|pool| pool["tenant"].as_str()).collect();
    assert_eq!(tenants, BTreeSet::from(["general-hospital", "lakeside-clinic"]));
    assert_eq!(running.worker_pids().len(), 3, "one each, and the one that tried the artifact");
    let keys = |token: &str| running.gateway.https().get(KEYS, token).body;
    let (own, theirs) = (keys(&scene.token), keys(&other));
    assert_ne!(own, theirs);
    // The first byte of a sealed request is the id of its key.
    let sealed = |list: &[u8]| {
        let list = sealgate_keys::ohttp::KeyList::decode(list).unwrap();
        let key = list.0.first().unwrap().key_id;
        let path =
            format!("/v1/attestation?nonce={}&key_id={key}&model=breast-cancer", "ab".repeat(32));
        running.gateway.https().get(&path, &scene.token)
    };
    assert_eq!(sealed(&own).status, 200);
    let refused = sealed(&theirs);
    assert_eq!((refused.status, refused.code().as_str()), (400, "ohttp_key"));
}
