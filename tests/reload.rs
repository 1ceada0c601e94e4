//! The policy folder changes under a running gateway: whole, or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sealgate_policies::{PolicySet, Profile};
use serde_json::{Value, json};
use support::{Demo, Gateway, Reply, Stopped, sealgate, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
const SOON: Duration = Duration::from_secs(20);

/// A gateway whose policy folder is reached by a symlink.
struct Scene {
    gateway: Gateway,
    stopped: Stopped,
    token: String,
    example: Vec<u8>,
}

impl Scene {
    fn start() -> Self {
        let demo = Demo::start();
        let (token, example) = (demo.token(), demo.example());
        let stopped = demo.stop();
        let state = stopped.state.path();
        stopped.without_policy_tests();
        fs::rename(state.join("policies"), state.join("one")).unwrap();
        symlink("one", state.join("current")).unwrap();
        stopped.change("gateway.toml", |config| {
            let changed = config.replace("/policies\"", "/current\"");
            assert!(changed != config, "no policy folder in {config}");
            changed
        });
        Self { gateway: Gateway::start(&stopped), stopped, token, example }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stopped.state.path().join(name)
    }

    /// Writes one file of a folder as a careful admin does: beside it, then renamed.
    fn write(&self, file: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(file)).unwrap();
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "no `{from}` in {text}");
        self.write(file, &text.replace(from, to));
    }

    fn point_at(&self, folder: &str) {
        let _ = fs::remove_file(self.path("next"));
        symlink(folder, self.path("next")).unwrap();
        fs::rename(self.path("next"), self.path("current")).unwrap();
    }

    fn hang_up(&self) {
        kill(Pid::from_raw(self.gateway.pid()), Signal::SIGHUP).unwrap();
    }

    fn ask(&self) -> Reply {
        self.gateway.https().post(INFER, &self.token, &self.example)
    }

    fn readiness(&self) -> Value {
        self.gateway.https().request("GET", "/readyz", &[], &[]).json()
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        let records = self.stopped.records().into_iter();
        records.filter(|record| record["type"] == kind).map(|mut r| r["event"].take()).collect()
    }
}

/// The folder that a receipt says was in force.
fn digest_of(reply: &Reply) -> String {
    let receipt: Value = serde_json::from_str(reply.header("sealgate-receipt").unwrap()).unwrap();
    receipt["receipt"]["policy_digest"].as_str().unwrap().to_owned()
}

fn digest(folder: &Path) -> String {
    PolicySet::load(folder, Profile::Dev).unwrap_or_else(|m| panic!("{m}")).digest().hex()
}

#[test]
fn a_changed_rule_holds_from_then_on_without_a_restart() {
    let scene = Scene::start();
    let before = digest(&scene.path("one"));
    assert_eq!(digest_of(&scene.ask()), before);
    scene.edit("one/rules/scope.cedar", "contains(\"infer\")", "contains(\"other\")");
    wait_until("the rule forbids", SOON, || scene.ask().status == 403);

    let after = digest(&scene.path("one"));
    assert_eq!(digest_of(&scene.ask()), after, "the refusal's receipt");
    let refused = scene.records("decision").pop().unwrap();
    assert_eq!(
        (&refused["code"], &refused["policy_digest"]),
        (&json!("scope_missing"), &json!(after))
    );
    let loaded = scene.records("policy_loaded");
    let event = json!({"policy_digest": after, "previous_digest": before, "why": "changed"});
    assert_eq!(loaded, [event]);
}

#[test]
fn a_bad_folder_never_takes_effect_and_everybody_is_told() {
    let scene = Scene::start();
    let good = digest(&scene.path("one"));
    let rules = fs::read_to_string(scene.path("one/rules/scope.cedar")).unwrap();
    scene.edit("one/rules/scope.cedar", "principal.scopes", "principal.scoops");
    wait_until("readiness tells", SOON, || scene.readiness()["policy"] == "last_good");
    assert_eq!(scene.readiness()["ready"], true);
    let reply = scene.ask();
    assert_eq!((reply.status, digest_of(&reply)), (200, good.clone()));
    wait_until("the record tells", SOON, || !scene.records("policy_refused").is_empty());
    let told = scene.records("policy_refused");
    let [refused] = &told[..] else { panic!("{told:?}") };
    assert_eq!(refused["policy_digest"], json!(good));
    assert!(refused["first"].as_str().unwrap().contains("`rules/scope.cedar` line"), "{refused}");

    scene.hang_up();
    wait_until("asked again, told again", SOON, || scene.records("policy_refused").len() == 2);
    scene.write("one/rules/scope.cedar", &rules);
    wait_until("mended", SOON, || scene.readiness()["policy"] == "newest");
    assert!(scene.records("policy_loaded").is_empty(), "the same folder came into force twice");
    let log = scene.gateway.stop();
    assert!(log.contains("did you mean `scopes`?"), "{log}");
    assert!(log.contains("the last good policy stays in force"), "{log}");
}

#[test]
fn a_folder_that_others_may_write_does_not_take_effect() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::start();
    let file = scene.path("one/rules/scope.cedar");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    wait_until("it is told", SOON, || !scene.records("policy_refused").is_empty());
    assert_eq!(scene.readiness()["policy"], "last_good");
    let told = scene.records("policy_refused");
    assert!(told[0]["first"].as_str().unwrap().contains("written by others"), "{told:?}");
}

#[test]
fn a_folder_that_fails_its_own_tests_does_not_take_effect() {
    let scene = Scene::start();
    fs::create_dir(scene.path("one/tests")).unwrap();
    scene.write("one/tests/wrong.toml", FAILING);
    wait_until("it is told", SOON, || !scene.records("policy_refused").is_empty());
    let told = scene.records("policy_refused");
    assert!(told[0]["first"].as_str().unwrap().contains("nobody scores a row"), "{told:?}");
    assert_eq!((scene.ask().status, &scene.readiness()["policy"]), (200, &json!("last_good")));
}

const FAILING: &str = r#"
[[case]]
name = "nobody scores a row"
caller = { issuer = "dev", sub = "a", claims = { tenant = "general-hospital", groups = ["clinicians"], scope = "infer" } }
ask = { model = "breast-cancer", action = "infer" }
expect = { verdict = "deny" }
"#;

#[test]
fn a_candidate_is_evaluated_beside_and_never_enforced() {
    let scene = Scene::start();
    assert_eq!(scene.ask().status, 200);
    fs::create_dir_all(scene.path("one/candidate/rules")).unwrap();
    scene.write("one/candidate/rules/here.cedar", NOT_FROM_HERE);
    wait_until("it is loaded", SOON, || !scene.records("policy_loaded").is_empty());
    let loaded = &scene.records("policy_loaded")[0];
    assert_eq!(loaded["policy_digest"], loaded["previous_digest"]);

    let reply = scene.ask();
    assert_eq!(reply.status, 200, "a candidate was enforced");
    let id = json!(reply.header("sealgate-request-id").unwrap());
    wait_until("the difference is recorded", SOON, || {
        !scene.records("candidate_differed").is_empty()
    });
    let differed = scene.records("candidate_differed");
    let of_request = differed.iter().find(|event| event["request_id"] == id).unwrap();
    assert_eq!(
        (&of_request["verdict"], &of_request["code"], &of_request["candidate_digest"]),
        (&json!("deny"), &json!("not_from_here"), &loaded["candidate_digest"])
    );
    // The record has the network alone; what the gateway saw decides where it looked.
    let (folder, audit) = (scene.path("one"), scene.stopped.fact("audit"));
    let told = sealgate(&["policy", "diff", folder.to_str().unwrap(), "--log", audit, "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let changed = told["changed"].as_array().unwrap();
    assert_eq!(
        (changed.len(), &changed[0]["to"]["detail"]),
        (1, &json!("not_from_here")),
        "{told}"
    );
    assert!(told["undetermined"].as_u64().unwrap() >= 1, "{told}");

    // One that has mistakes is told and changes nothing.
    scene.write("one/candidate/rules/here.cedar", &NOT_FROM_HERE.replace("address", "adress"));
    wait_until("it is dropped", SOON, || scene.records("policy_loaded").len() == 2);
    assert!(scene.records("policy_loaded")[1]["candidate_digest"].is_null());
    let count = scene.records("candidate_differed").len();
    assert_eq!(scene.ask().status, 200);
    assert_eq!(scene.records("candidate_differed").len(), count);
}

#[test]
fn a_candidate_to_which_a_token_does_not_count_differs_on_record() {
    let scene = Scene::start();
    fs::create_dir(scene.path("one/candidate")).unwrap();
    scene.write("one/candidate/revoked.toml", "[[revoked]]\nsub = \"demo\"\nissuer = \"dev\"\n");
    wait_until("it is loaded", SOON, || !scene.records("policy_loaded").is_empty());

    let reply = scene.ask();
    assert_eq!(reply.status, 200, "a candidate was enforced");
    let id = json!(reply.header("sealgate-request-id").unwrap());
    wait_until("the difference is recorded", SOON, || {
        scene.records("candidate_differed").iter().any(|event| event["request_id"] == id)
    });
    let differed = scene.records("candidate_differed");
    let of_request = differed.iter().find(|event| event["request_id"] == id).unwrap();
    let digest = &scene.records("policy_loaded")[0]["candidate_digest"];
    let event = json!({"candidate_digest": digest, "code": "token_refused", "limit_profile": "",
        "release_profile": "", "request_id": id, "rules": [], "verdict": "deny"});
    assert_eq!(*of_request, event);
    let decisions = scene.records("decision");
    let decision = decisions.iter().find(|event| event["request_id"] == id).unwrap();
    assert_eq!((&decision["verdict"], &decision["candidate_digest"]), (&json!("allow"), digest));
}

const NOT_FROM_HERE: &str = r#"
@id("not-from-here")
@code("not_from_here")
forbid (principal, action == Action::"infer", resource is Model)
when { context.address.isInRange(ip("127.0.0.1/32")) };
"#;

/// Two folders that differ in everything a decision shows: rules, limits, release.
#[test]
fn a_hundred_reloads_under_load_mix_nothing_and_lose_nothing() {
    let scene = Scene::start();
    copy(&scene.path("one"), &scene.path("two"));
    scene.edit("two/rules/clinicians.cedar", "clinicians-infer", "second-infer");
    scene.edit("two/rules/clinicians.cedar", "@release(\"full\")", "@release(\"label\")");
    for entry in fs::read_dir(scene.path("two/rules")).unwrap() {
        let file = format!("two/rules/{}", entry.unwrap().file_name().to_str().unwrap());
        let text = fs::read_to_string(scene.path(&file)).unwrap();
        scene.write(&file, &text.replace("@limits(\"clinic\")", "@limits(\"second\")"));
    }
    scene.edit("two/limits.toml", "[limits.clinic]", "[limits.second]");
    let digests = ["one", "two"].map(|folder| digest(&scene.path(folder)));

    let done = AtomicBool::new(false);
    let answers: Vec<Reply> = thread::scope(|scope| {
        let ask = || {
            let mut answers = Vec::new();
            while !done.load(Ordering::Relaxed) {
                answers.push(scene.ask());
            }
            answers
        };
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for turn in 1..=100 {
            scene.point_at(["one", "two"][turn % 2]);
            scene.hang_up();
            wait_until("in force", SOON, || digest_of(&scene.ask()) == digests[turn % 2]);
        }
        done.store(true, Ordering::Relaxed);
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });

    assert!(answers.len() > 200, "only {} requests", answers.len());
    for reply in &answers {
        assert_eq!(reply.status, 200, "{reply:?}");
        let score = reply.json()["outputs"][0]["data"][0].as_f64().unwrap();
        let label_only = score == 0.0 || score == 1.0;
        assert_eq!(label_only, digest_of(reply) == digests[1], "cut by another folder's profile");
    }
    let decisions = scene.records("decision");
    for decision in &decisions {
        let second = decision["policy_digest"] == json!(digests[1]);
        let rule = if second { "second-infer" } else { "clinicians-infer" };
        let limits = if second { "second" } else { "clinic" };
        assert_eq!(decision["rules"], json!([rule]), "{decision}");
        assert_eq!(decision["limit_profile"], json!(limits), "{decision}");
    }
    for digest in &digests {
        let count = answers.iter().filter(|reply| digest_of(reply) == *digest).count();
        assert!(count > 20, "only {count} requests under {digest}");
    }
    assert_eq!(scene.records("policy_loaded").len(), 100);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
