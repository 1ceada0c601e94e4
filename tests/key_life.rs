//! Keys that clients seal to: from when they are offered until nobody can use them any more.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/sealed.rs"]
mod sealed;
mod support;

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sealed::{INFER, KEYS, inner, key_list, opened, post};
use sealgate_keys::RECEIPT_HEADER;
use sealgate_keys::evidence::{Evidence, NoncePath, Purpose, report_data, software_message};
use sealgate_keys::ohttp::{Kem, KeyList};
use sealgate_keys::receipt::{GatewayReceipt, verify};
use serde_json::Value;
use support::{Demo, Gateway, Https, Stopped, wait_until};

/// A gateway on a demo's state with its configuration changed.
struct Place {
    stopped: Stopped,
    gateway: Gateway,
    token: String,
    example: Vec<u8>,
}

impl Place {
    fn with(change: impl FnOnce(&Stopped)) -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let stopped = demo.stop();
        change(&stopped);
        let gateway = Gateway::start(&stopped);
        Self { stopped, gateway, token, example }
    }

    fn https(&self) -> &Https {
        self.gateway.https()
    }

    fn seal(&self, list: &KeyList) -> (Vec<u8>, sealgate_keys::ohttp::ResponseOpener) {
        sealed::sealed(list, Kem::X25519, &inner(&self.example))
    }

    fn list(&self) -> KeyList {
        key_list(self.https(), &self.token)
    }

    /// Sends what was sealed; the outer status.
    fn post(&self, sealed: &[u8]) -> u16 {
        post(self.https(), &self.token, sealed).status
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        let all = self.stopped.records().into_iter();
        all.filter(|record| record["type"] == kind).map(|mut r| r["event"].take()).collect()
    }
}

fn client_keys(stopped: &Stopped, active_s: u32, overlap_s: u32) {
    stopped.change("gateway.toml", |config| {
        format!("{config}\n[client_keys]\nactive_s = {active_s}\noverlap_s = {overlap_s}\n")
    });
}

#[test]
fn old_keys_open_through_their_overlap_each_request_once_and_nothing_after_it() {
    let place = Place::with(|stopped| client_keys(stopped, 2, 6));
    let begun = Instant::now();
    let old = place.list();
    let (before, _) = place.seal(&old);
    assert_eq!(place.post(&before), 200);
    wait_until("others are offered", Duration::from_secs(20), || place.list().0 != old.0);
    assert!(begun.elapsed() < Duration::from_secs(7), "the machine is too slow to see the overlap");
    let (late, _) = place.seal(&old);
    assert_eq!(place.post(&late), 200, "sealed to the old list, in the overlap");
    assert_eq!(place.post(&before), 400, "opened before, in the overlap");
    let (after, _) = place.seal(&old);
    wait_until("the old keys are gone", Duration::from_secs(20), || {
        let (probe, _) = place.seal(&old);
        place.post(&probe) == 400
    });
    assert_eq!(place.post(&after), 400);
    assert_eq!(place.post(&place.seal(&place.list()).0), 200);
}

#[test]
fn a_list_is_not_to_be_kept_for_longer_than_its_keys_live() {
    let place = Place::with(|stopped| client_keys(stopped, 10, 100));
    let reply = place.https().get(KEYS, &place.token);
    assert_eq!(reply.header("cache-control"), Some("private, max-age=80"));
}

#[test]
fn a_new_worker_opens_nothing_that_was_sealed_to_the_one_before() {
    let demo = Demo::start();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let old = key_list(&https, &token);
    let (opened_once, _) = sealed::sealed(&old, Kem::XWing, &inner(&example));
    assert_eq!(post(&https, &token, &opened_once).status, 200);
    let (unsent, _) = sealed::sealed(&old, Kem::XWing, &inner(&example));

    kill(Pid::from_raw(demo.worker_pids()[0]), Signal::SIGKILL).unwrap();
    wait_until("the old list is gone", Duration::from_secs(10), || {
        // Asked for while no worker is there, it waits for the next one.
        key_list(&https, &token).0 != old.0
    });
    for bytes in [&opened_once, &unsent] {
        let reply = post(&https, &token, bytes);
        assert_eq!((reply.status, reply.code().as_str()), (400, "ohttp_key"));
    }
    let (fresh, opener) = sealed::sealed(&key_list(&https, &token), Kem::XWing, &inner(&example));
    assert_eq!(opened(opener, &post(&https, &token, &fresh)).0.status, 200);
}

#[test]
fn each_replica_has_keys_of_its_own_and_requests_find_theirs() {
    let place = Place::with(|stopped| {
        stopped.change("gateway.toml", |config| {
            config.replace("[[models]]", "[[models]]\nreplicas = 2")
        });
    });
    let first = place.list();
    let mut second = place.list();
    wait_until("the other replica answers too", Duration::from_secs(20), || {
        second = place.list();
        second.0 != first.0
    });
    let ids = |list: &KeyList| list.0.iter().map(|c| c.key_id).collect::<Vec<_>>();
    assert!(ids(&first).iter().all(|id| !ids(&second).contains(id)));

    for list in [&first, &second] {
        let (sealed, opener) = place.seal(list);
        let reply = post(place.https(), &place.token, &sealed);
        assert_eq!(opened(opener, &reply).0.status, 200);
        // To another replica it can only go under that one's id, which it was not sealed for.
        let mut moved = sealed;
        moved[0] = if ids(&first)[1] == moved[0] { ids(&second)[1] } else { ids(&first)[1] };
        assert_eq!(place.post(&moved), 400);
    }
    let key_id = ids(&second)[0];
    let path = format!("/v1/attestation?nonce={}&key_id={key_id}", "ab".repeat(32));
    let list = place.https().get(&path, &place.token).json()["key_list"].clone();
    let list = sealgate_keys::Base64::decode(list.as_str().unwrap()).unwrap();
    assert_eq!(
        KeyList::decode(&list.0).unwrap().0,
        second.0,
        "the list of the replica asked about"
    );
}

#[test]
fn a_key_is_for_its_own_model_alone() {
    let place = Place::with(|stopped| {
        stopped.without_policy_tests();
        stopped.change("policies/models.toml", |models| {
            let at = models.find("[models.breast-cancer]").unwrap();
            format!("{models}\n{}", models[at..].replace("breast-cancer", "second"))
        });
        stopped.change("gateway.toml", |config| {
            let at = config.find("[[models]]").unwrap();
            let end = config[at + 1..].find("\n[").map_or(config.len(), |end| at + 1 + end);
            let second = config[at..end].replace("name = \"breast-cancer\"", "name = \"second\"");
            format!("{config}\n{second}")
        });
    });
    wait_until("the second model answers", Duration::from_secs(20), || {
        place.https().get("/v1/models/second/ohttp-keys", &place.token).status == 200
    });
    let second = place.https().get("/v1/models/second/ohttp-keys", &place.token).body;
    let (sealed, _) = place.seal(&KeyList::decode(&second).unwrap());
    let reply = post(place.https(), &place.token, &sealed);
    assert_eq!((reply.status, reply.code().as_str()), (400, "ohttp_key"));
    let bearer = format!("Bearer {}", place.token);
    let own = [("Authorization", bearer.as_str()), ("Content-Type", "message/ohttp-req")];
    let reply = place.https().request("POST", "/v2/models/second/infer", &own, &sealed);
    assert_eq!(reply.status, 200, "the same bytes where their key is: not spent by the refusal");
}

#[test]
fn a_sealed_request_that_a_worker_takes_along_is_not_sent_to_the_next() {
    let demo = Demo::start();
    let (https, token, example) = (demo.https(), demo.token(), demo.example());
    let (sealed, _) = sealed::sealed(&key_list(&https, &token), Kem::X25519, &inner(&example));
    let worker = Pid::from_raw(demo.worker_pids()[0]);
    kill(worker, Signal::SIGSTOP).unwrap();
    let reply = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| post(&https, &token, &sealed));
        wait_until("it is on its way", Duration::from_secs(5), || {
            demo.records()
                .iter()
                .any(|r| r["event"]["mode"] == "client-sealed" && r["event"]["action"] == "infer")
        });
        kill(worker, Signal::SIGKILL).unwrap();
        waiting.join().unwrap()
    });
    assert_eq!((reply.status, reply.code().as_str()), (503, "worker_lost"));
    // The next worker has no key for it, so had it been sent on, the answer would be another.
    key_list(&https, &token);
    let id = reply.header("sealgate-request-id").unwrap();
    let outcomes: Vec<Value> = demo
        .records()
        .into_iter()
        .filter(|r| r["type"] == "outcome" && r["event"]["request_id"] == id)
        .collect();
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0]["event"]["code"], "worker_lost");
}

#[test]
fn a_policy_can_demand_that_clients_seal() {
    let place = Place::with(|stopped| {
        stopped.without_policy_tests();
        stopped.change("policies/models.toml", |models| {
            let only = models.replace("\"gateway-sealed\", ", "");
            assert_ne!(only, models);
            only
        });
    });
    let open = place.https().post(INFER, &place.token, &place.example);
    assert_eq!((open.status, open.code().as_str()), (403, "forbidden"));
    let (sealed, opener) = place.seal(&place.list());
    let reply = post(place.https(), &place.token, &sealed);
    assert_eq!(opened(opener, &reply).0.status, 200);
}

#[test]
fn evidence_answers_the_clients_own_nonce_under_the_operators_key() {
    let demo = Demo::start();
    let (https, token) = (demo.https(), demo.token());
    let pin = sealgate_keys::Base64::decode(demo.fact("evidence_pin")).unwrap().0;
    let nonces: Vec<[u8; 32]> = (0..24).map(|n| [n; 32]).collect();
    let replies: Vec<Value> = std::thread::scope(|scope| {
        let ask = |nonce: &[u8; 32]| {
            let path = format!("/v1/attestation?nonce={}", hex::encode(nonce));
            https.get(&path, &token).json()
        };
        let threads: Vec<_> = nonces.iter().map(|n| scope.spawn(move || ask(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (nonce, answer) in nonces.iter().zip(&replies) {
        let keyset: sealgate_keys::Keyset =
            serde_json::from_value(answer["keyset"].clone()).unwrap();
        let path: NoncePath = serde_json::from_value(answer["nonce_path"].clone()).unwrap();
        let evidence: Evidence = serde_json::from_value(answer["evidence"].clone()).unwrap();
        let Evidence::Software { signature, issued_at_s, .. } = evidence else {
            panic!("software evidence: {answer}")
        };
        let data = report_data(Purpose::Client, &keyset.digest(), &path.root(nonce).unwrap());
        let key =
            aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, &pin);
        key.verify(&software_message(&data, issued_at_s), &signature.0).unwrap();
        let another =
            report_data(Purpose::Client, &keyset.digest(), &path.root(&[99; 32]).unwrap());
        assert!(key.verify(&software_message(&another, issued_at_s), &signature.0).is_err());
    }
    for query in ["", "?nonce=00", "?nonce=zz", "?key_id=1", "?nonce=0&nonce=0"] {
        let reply = https.get(&format!("/v1/attestation{query}"), &token);
        assert_eq!((reply.status, reply.code().as_str()), (400, "attestation_query"), "{query}");
    }
}

#[test]
fn every_keyset_is_recorded_and_archived_before_it_is_offered() {
    let place = Place::with(|stopped| client_keys(stopped, 2, 20));
    let first = place.list();
    wait_until("others are offered", Duration::from_secs(20), || place.list().0 != first.0);
    let offered = place.records("keys_offered");
    assert!(offered.len() >= 2);
    let path = format!("/v1/attestation?nonce={}", "cd".repeat(32));
    let now = place.https().get(&path, &place.token).json();
    assert!(
        place
            .records("keys_offered")
            .iter()
            .any(|keys| keys["keyset_digest"] == now["keyset_digest"])
    );
    let archive = format!("{}-keysets", place.stopped.fact("audit"));
    for keys in offered {
        let file = format!("{archive}/{}.json", keys["keyset_digest"].as_str().unwrap());
        let entry: Value = serde_json::from_slice(&std::fs::read(&file).expect(&file)).unwrap();
        let keyset: sealgate_keys::Keyset =
            serde_json::from_value(entry["keyset"].clone()).unwrap();
        assert_eq!(hex::encode(keyset.digest()), keys["keyset_digest"]);
    }
}

#[test]
fn keys_that_cannot_be_archived_are_not_offered() {
    let place = Place::with(|stopped| client_keys(stopped, 3, 5));
    let list = place.list();
    let named = || {
        let reply = place.https().post(INFER, &place.token, &place.example);
        assert_eq!(reply.status, 200);
        let line: Value = serde_json::from_str(reply.header(RECEIPT_HEADER).unwrap()).unwrap();
        line["receipt"]["keyset_digest"].as_str().unwrap().to_owned()
    };
    let kept = || place.records("keys_offered").iter().any(|k| k["keyset_digest"] == named());
    assert!(kept());
    let archive = format!("{}-keysets", place.stopped.fact("audit"));
    std::fs::remove_dir_all(&archive).unwrap();
    std::fs::write(&archive, b"in the way").unwrap();
    wait_until("no list is given", Duration::from_secs(20), || {
        place.https().get(KEYS, &place.token).status == 503
    });
    assert!(kept(), "a receipt names a keyset that was never on record");
    std::fs::remove_file(&archive).unwrap();
    std::fs::create_dir(&archive).unwrap();
    wait_until("a list is given again", Duration::from_secs(20), || {
        place.https().get(KEYS, &place.token).status == 200
    });
    assert_ne!(place.list().0, list.0);
}

#[test]
fn refusals_of_known_callers_are_signed_by_the_gateway_and_others_are_not() {
    let demo = Demo::start();
    let https = demo.https();
    let key = sealgate_keys::Base64::decode(demo.fact("gateway_receipt_key")).unwrap().0;
    let key: [u8; 32] = key.try_into().unwrap();
    let nobody = demo.allowed_claims(&["group"]);
    let nobody: Vec<&str> = nobody.iter().map(String::as_str).collect();
    let refused = https.post(INFER, &demo.token_for(&nobody), &demo.example());
    let line = refused.header(RECEIPT_HEADER).expect("a receipt");
    let receipt: GatewayReceipt = verify(line, &key).unwrap();
    assert_eq!((receipt.status, receipt.code.as_str()), (403, "forbidden"));
    assert_eq!(Some(receipt.request_id.as_str()), refused.header("sealgate-request-id"));

    let after_opening = post(&https, &demo.token(), b"no message");
    let line = after_opening.header(RECEIPT_HEADER).expect("a receipt");
    assert_eq!(verify::<GatewayReceipt>(line, &key).unwrap().code, "ohttp_key");
    assert_eq!(https.request("POST", INFER, &[], b"{}").header(RECEIPT_HEADER), None);
}
