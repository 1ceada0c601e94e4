//! What processes hold of a row that the client sealed, and of keys whose time is over.
//!
//! As `memory.rs`, which has the controls: that a gateway holds the row when it is the one that
//! seals, and that a worker at work holds each form.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "what was scanned belongs into the test's report")]

#[path = "support/looks.rs"]
mod looks;
#[path = "support/marked.rs"]
mod marked;
#[path = "support/process.rs"]
mod process;
#[path = "support/scan.rs"]
mod scan;
#[path = "support/scene.rs"]
mod scene;
#[path = "support/secret_keys.rs"]
mod secret_keys;
mod support;

use std::time::Duration;

use looks::{
    an_idle_worker_holds_none_of, assert_only_the_kernels_pages_are_unreadable, scan, scan_gateway,
};
use process::{PATIENCE, Paused};
use scan::Needles;
use scene::Scene;
use sealgate_keys::ohttp::{Kem, KeyList};
use secret_keys::secrets_of;
use support::wait_until;

#[test]
fn a_gateway_holds_nothing_of_a_row_that_the_client_sealed() {
    let scene = Scene::start("flex");
    for kem in Kem::ALL {
        let (exchange, _) = scene.seal(&scene.v2(1), kem);
        let Some(moments) = scan_gateway(&scene, &exchange) else { return };
        for scan in
            [&moments.coming_in, &moments.with_the_worker, &moments.answered, &moments.closed]
        {
            assert_only_the_kernels_pages_are_unreadable(scan);
            assert!(scan.hits.is_empty(), "{kem:?}: {:?}", scan.hits);
        }
    }
}

#[test]
fn an_idle_flex_worker_holds_nothing_of_what_was_sealed_to_it() {
    an_idle_worker_holds_nothing_of_what_was_sealed_to_it("flex");
}

#[test]
fn an_idle_ndarray_worker_holds_nothing_of_what_was_sealed_to_it() {
    an_idle_worker_holds_nothing_of_what_was_sealed_to_it("ndarray");
}

fn an_idle_worker_holds_nothing_of_what_was_sealed_to_it(engine: &str) {
    let scene = Scene::start(engine);
    let exchanges = [scene.good_requests(), scene.refused_requests()].concat();
    for kem in Kem::ALL {
        for exchange in &exchanges {
            let sought = [scene.ask_sealed(exchange, kem), exchange.needles.clone()].concat();
            let after = format!("{kem:?}: {exchange}");
            if !an_idle_worker_holds_none_of(&sought, &scene, &after) {
                return;
            }
        }
    }
}

#[test]
fn of_keys_whose_time_is_over_a_worker_holds_no_secret_half() {
    let scene = Scene::start_with("flex", "\n[client_keys]\nactive_s = 3\noverlap_s = 3\n");
    let list = || {
        let reply = scene.demo.https().get("/.well-known/ohttp-gateway", &scene.token);
        assert_eq!(reply.status, 200);
        KeyList::decode(&reply.body).expect("a key list")
    };
    let old = list();
    for kem in Kem::ALL {
        scene.ask_sealed(&scene.v2(1), kem);
    }
    let stopped = Paused::new(scene.worker());
    let Some(secrets) = secrets_of(scene.worker(), &old) else { return };
    drop(stopped);
    let named: Vec<&str> = secrets.iter().map(|(name, _)| name.as_str()).collect();
    for part in ["x25519", "x-wing x25519", "x-wing ml-kem vector", "x-wing ml-kem seed"] {
        assert!(named.contains(&part), "the control: `{part}` of a living key, of {named:?}");
    }

    let newer = || list().0 != old.0;
    wait_until("others are offered", PATIENCE, newer);
    let ids: Vec<u8> = old.0.iter().map(|config| config.key_id).collect();
    wait_until("the old ones are over", PATIENCE, || {
        let path = format!("/v1/attestation?nonce={}&key_id={}", "00".repeat(32), ids[0]);
        scene.demo.https().get(&path, &scene.token).status == 400
    });
    // The worker's clock began a moment after the gateway's.
    let secrets = Needles::new(secrets);
    wait_until("no secret half is left", Duration::from_secs(5), || {
        let look = scan("worker after its keys' end", scene.worker(), &secrets);
        look.is_some_and(|scan| scan.hits.is_empty())
    });
}
