//! Issuers' keys by URL, over reloads, a rotation and a restart without the issuer.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/issuer.rs"]
mod issuer;
mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use issuer::{IssuerServer, SigningKey};
use serde_json::{Value, json};
use support::{Demo, Gateway, Reply, Stopped, claims, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
const SOON: Duration = Duration::from_secs(20);

#[test]
fn fetched_keys_stay_over_reloads_and_a_rotation_loses_no_request() {
    let old = SigningKey::new("key-1");
    let scene = Scene::start(&[&old]);
    let token = old.sign(&scene.claims);
    assert_eq!((scene.ask(&token).status, scene.issuer.fetches()), (200, 1));

    // From now on only what the gateway has can let anybody in.
    scene.issuer.fail();
    let answers = scene.while_asking(&[&token], || {
        for reload in 1..=10 {
            scene.change_the_folder(reload);
            let done = || scene.records("policy_loaded").len() == reload;
            wait_until("the folder is in force", SOON, done);
        }
    });
    assert!(answers.len() > 20, "only {} requests", answers.len());
    all_passed(&answers);
    assert_eq!(scene.issuer.fetches(), 1, "a reload fetched keys that were there");

    let new = SigningKey::new("key-2");
    scene.issuer.publish(&[&new, &old]);
    let tokens = [&token, &new.sign(&scene.claims)];
    let answers = scene.while_asking(&tokens, || {
        wait_until("it is on record", SOON, || scene.records("issuer_keys_changed").len() == 2);
    });
    all_passed(&answers);
    assert_eq!(scene.issuer.fetches(), 2);
    all_passed(&tokens.map(|token| scene.ask(token)));

    let changes = scene.records("issuer_keys_changed");
    assert_eq!(
        (&changes[0]["issuer"], &changes[0]["kids"]),
        (&scene.claims["iss"], &json!(["key-1"]))
    );
    assert_eq!(changes[1]["kids"], json!(["key-1", "key-2"]));
    assert_eq!(changes[1]["previous_digest"], changes[0]["jwks_digest"]);
    assert!([&old, &new].iter().all(|key| !format!("{changes:?}").contains(&key.x)));
}

#[test]
fn a_start_without_the_issuer_goes_by_the_kept_keys_and_is_on_record() {
    let key = SigningKey::new("key-1");
    let mut scene = Scene::start(&[&key]);
    scene.issuer.fail();
    scene.gateway.take().unwrap().stop();
    scene.gateway = Some(Gateway::start(&scene.stopped));
    assert_eq!(scene.ask(&key.sign(&scene.claims)).status, 200);
    let failed = json!({"issuer": scene.claims["iss"], "why": "status"});
    assert_eq!(scene.records("issuer_keys_not_renewed"), [failed]);
    let changes = scene.records("issuer_keys_changed");
    let [fetched, kept] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((&fetched["why"], &kept["why"]), (&json!("fetched"), &json!("kept")));
    assert_eq!(fetched["jwks_digest"], kept["jwks_digest"]);
}

/// A gateway that fetches the keys of the demo's issuer from a server of this test.
struct Scene {
    issuer: IssuerServer,
    gateway: Option<Gateway>,
    stopped: Stopped,
    /// What the demo's own token says.
    claims: Value,
    example: Vec<u8>,
}

impl Scene {
    fn start(keys: &[&SigningKey]) -> Self {
        let demo = Demo::start();
        let (claims, example) = (claims(&demo.token()), demo.example());
        let stopped = demo.stop();
        stopped.without_policy_tests();
        let state = stopped.state.path();
        let issuer = IssuerServer::start(&state.join("tls/cert.pem"), &state.join("tls/key.pem"));
        issuer.publish(keys);
        stopped.change("policies/issuers.toml", |issuers| {
            let by_url = format!("jwks_url = \"{}\"", issuer.url);
            let changed = issuers.replace("jwks = \"jwks/dev.json\"", &by_url);
            assert!(changed != issuers, "no key file in {issuers}");
            changed
        });
        let ca = stopped.fact("ca");
        stopped.change("gateway.toml", |config| format!("{config}\n[jwks]\nca_file = \"{ca}\"\n"));
        let gateway = Some(Gateway::start(&stopped));
        Self { issuer, gateway, stopped, claims, example }
    }

    fn ask(&self, token: &str) -> Reply {
        self.gateway.as_ref().unwrap().https().post(INFER, token, &self.example)
    }

    /// The answers to two callers of each token who ask until `work` is done.
    fn while_asking(&self, tokens: &[&String], work: impl FnOnce()) -> Vec<Reply> {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let done = &done;
            let callers = [tokens, tokens].concat().into_iter();
            let callers: Vec<_> = callers
                .map(|token| {
                    scope.spawn(move || {
                        let asked = std::iter::repeat_with(|| self.ask(token));
                        asked.take_while(|_| !done.load(Ordering::Relaxed)).collect::<Vec<_>>()
                    })
                })
                .collect();
            let stop = Stop(done);
            work();
            drop(stop);
            callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
        })
    }

    /// Makes it another folder with the same rules.
    fn change_the_folder(&self, version: usize) {
        let path = |name: &str| -> PathBuf { self.stopped.state.path().join(name) };
        let limits = fs::read_to_string(path("policies/limits.toml")).unwrap();
        fs::write(path("beside"), format!("{limits}\n# {version}\n")).unwrap();
        fs::rename(path("beside"), path("policies/limits.toml")).unwrap();
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        let records = self.stopped.records().into_iter();
        records.filter(|record| record["type"] == kind).map(|mut r| r["event"].take()).collect()
    }
}

/// Has callers stop, also when what they accompany has panicked.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn all_passed(answers: &[Reply]) {
    for reply in answers {
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
}
