//! What an admin can do at once, who may, and what the record says of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Demo, Gateway, Https, Reply, sealgate, stdout, wait_until};

const INFER: &str = "/v2/models/breast-cancer/infer";
const EMERGENCY: &str = "/v1/admin/emergency";
const SOON: Duration = Duration::from_secs(20);

struct Scene {
    demo: Demo,
    admin: Https,
    operator: String,
}

impl Scene {
    fn start() -> Self {
        Self::on(Demo::start())
    }

    fn on(demo: Demo) -> Self {
        let admin = Https::new(demo.fact("admin_url"), Path::new(demo.fact("ca")));
        let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
        Self { demo, admin, operator }
    }

    fn order(&self, order: &Value) -> Reply {
        self.admin.post(EMERGENCY, &self.operator, order.to_string().as_bytes())
    }

    fn ordered(&self, order: &Value) {
        let reply = self.order(order);
        assert_eq!(reply.status, 200, "{order}: {}", String::from_utf8_lossy(&reply.body));
    }

    fn ask(&self) -> Reply {
        self.demo.https().post(INFER, &self.demo.token(), &self.demo.example())
    }

    fn standing(&self) -> Value {
        self.admin.get("/v1/admin/standing", &self.operator).json()
    }
}

#[test]
fn only_those_whom_a_rule_permits_are_heard() {
    let scene = Scene::start();
    let lock_down = json!({"order": "lock_down"}).to_string();
    let clinician = scene.demo.token();
    let reply = scene.admin.post(EMERGENCY, &clinician, lock_down.as_bytes());
    assert_eq!((reply.status, reply.code().as_str()), (403, "forbidden"));
    let reply = scene.admin.request("POST", EMERGENCY, &[], lock_down.as_bytes());
    assert_eq!((reply.status, reply.code().as_str()), (401, "token_missing"));
    for path in ["/v1/admin/standing", "/metrics"] {
        assert_eq!(scene.admin.get(path, &clinician).status, 403, "{path}");
    }
    assert_eq!(scene.ask().status, 200);
    let denied = |record: &Value| {
        let event = &record["event"];
        event["action"] == "emergency" && event["verdict"] == "deny"
    };
    let records = scene.demo.records();
    assert_eq!(records.iter().find(|r| denied(r)).unwrap()["event"]["code"], "not_permitted");
    assert!(records.iter().all(|record| record["type"] != "admin_order"));
}

#[test]
fn each_listener_has_its_own_paths() {
    let scene = Scene::start();
    let (https, token) = (scene.demo.https(), scene.demo.token());
    assert_eq!(scene.admin.post(INFER, &token, &scene.demo.example()).status, 404);
    for path in ["/v1/admin/standing", "/metrics"] {
        assert_eq!(https.get(path, &scene.operator).status, 404, "{path}");
    }
    assert_eq!(https.post(EMERGENCY, &scene.operator, b"{}").status, 404);
}

#[test]
fn what_is_no_order_changes_nothing() {
    let scene = Scene::start();
    let long = "x".repeat(257);
    for order in [
        json!({}),
        json!({"order": "open_up"}),
        json!({"order": "lock_down", "quietly": true}),
        json!({"order": "revoke", "kind": "sub"}),
        json!({"order": "revoke", "kind": "name", "value": "demo"}),
        json!({"order": "revoke", "kind": "sub", "value": ""}),
        json!({"order": "stop_model", "model": long}),
        json!([]),
    ] {
        let reply = scene.order(&order);
        assert_eq!((reply.status, reply.code().as_str()), (400, "order"), "{order}");
    }
    let too_large = vec![b' '; 8193];
    let reply = scene.admin.post(EMERGENCY, &scene.operator, &too_large);
    assert_eq!((reply.status, reply.code().as_str()), (413, "body_too_large"));
    let nothing = json!({"locked_down": false, "stopped_models": [],
        "revoked_measurements": [], "revoked": []});
    assert_eq!(scene.standing()["emergency"], nothing);
}

#[test]
fn whoever_is_revoked_is_refused_within_a_second_and_after_a_restart() {
    let scene = Scene::start();
    assert_eq!(scene.ask().status, 200);
    let begun = Instant::now();
    scene.ordered(&json!({"order": "revoke", "kind": "sub", "value": "demo", "issuer": "dev"}));
    let reply = scene.ask();
    assert_eq!((reply.status, reply.code().as_str()), (401, "token_revoked"));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let other = scene.demo.token_for(&[
        "--subject",
        "other",
        "--group",
        "clinicians",
        "--tenant",
        "general-hospital",
        "--scope",
        "infer",
    ]);
    let other = scene.demo.https().post(INFER, &other, &scene.demo.example());
    assert_eq!(other.status, 200);
    let ordered: Vec<_> =
        scene.demo.records().into_iter().filter(|r| r["type"] == "admin_order").collect();
    let [order] = &ordered[..] else { panic!("{ordered:?}") };
    let event = &order["event"];
    assert_eq!((&event["order"], &event["about"]), (&json!("revoke"), &json!("sub demo of dev")));

    // The demo's own first answer is refused then, so the gateway runs alone.
    let (token, example) = (scene.demo.token(), scene.demo.example());
    let stopped = scene.demo.stop();
    let gateway = Gateway::start(&stopped);
    let reply = gateway.https().post(INFER, &token, &example);
    assert_eq!((reply.status, reply.code().as_str()), (401, "token_revoked"));
}

#[test]
fn a_revocation_ends_when_it_said_it_would() {
    let scene = Scene::start();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let until_s = now.as_secs() + 3;
    let order = json!({"order": "revoke", "kind": "client_id", "value": "sealgate-cli", "until_s": until_s});
    scene.ordered(&order);
    assert_eq!(scene.ask().code(), "token_revoked");
    wait_until("it is over", SOON, || scene.ask().status == 200);
    assert_eq!(scene.standing()["emergency"]["revoked"], json!([]));
}

#[test]
fn a_lock_down_refuses_everybody_goes_on_recording_and_can_be_lifted() {
    let scene = Scene::start();
    scene.ordered(&json!({"order": "lock_down"}));
    let reply = scene.ask();
    assert_eq!((reply.status, reply.code().as_str()), (503, "locked_down"));
    assert!(reply.header("sealgate-receipt").is_some());
    for path in ["/v2", "/v2/models/breast-cancer", "/v1/models/breast-cancer/ohttp-keys"] {
        let reply = scene.demo.https().get(path, &scene.demo.token());
        assert_eq!(reply.code(), "locked_down", "{path}");
    }
    let id = json!(reply.header("sealgate-request-id").unwrap());
    let records = scene.demo.records();
    let decision = records.iter().find(|r| r["event"]["request_id"] == id).unwrap();
    assert_eq!(decision["event"]["code"], "locked_down");
    scene.ordered(&json!({"order": "lift_lock_down"}));
    assert_eq!(scene.ask().status, 200);
}

#[test]
fn a_stopped_model_looks_like_one_that_is_not_there() {
    let scene = Scene::start();
    scene.ordered(&json!({"order": "stop_model", "model": "breast-cancer"}));
    let (token, example) = (scene.demo.token(), scene.demo.example());
    let unknown = scene.demo.https().post("/v2/models/no-such/infer", &token, &example);
    let reply = scene.ask();
    assert_eq!((reply.status, reply.code()), (unknown.status, unknown.code()));
    assert_eq!(reply.json()["error"], unknown.json()["error"]);
    let id = json!(reply.header("sealgate-request-id").unwrap());
    let records = scene.demo.records();
    let decision = records.iter().find(|r| r["event"]["request_id"] == id).unwrap();
    assert_eq!(decision["event"]["code"], "model_stopped");
    scene.ordered(&json!({"order": "resume_model", "model": "breast-cancer"}));
    assert_eq!(scene.ask().status, 200);
}

#[test]
fn keys_are_made_anew_and_workers_ended_when_an_admin_says_so() {
    let scene = Scene::start();
    let keys = || {
        let token = scene.demo.token();
        scene.demo.https().get("/v1/models/breast-cancer/ohttp-keys", &token).body
    };
    let before = keys();
    assert_eq!(keys(), before);
    scene.ordered(&json!({"order": "rotate_keys"}));
    wait_until("there are other keys", SOON, || keys() != before);

    let pid = || scene.standing()["workers"][0]["pid"].clone();
    let first = pid();
    assert!(first.is_u64());
    scene.ordered(&json!({"order": "end_workers", "pid": 1}));
    assert_eq!(pid(), first, "a pid that is no worker's");
    scene.ordered(&json!({"order": "end_workers", "model": "breast-cancer"}));
    wait_until("another worker serves", SOON, || {
        let now = pid();
        now.is_u64() && now != first && scene.ask().status == 200
    });
}

#[test]
fn a_worker_whose_measurement_is_revoked_ends_and_none_like_it_is_taken() {
    let scene = Scene::start();
    let digest = scene.standing()["workers"][0]["build_digest"].clone();
    assert_eq!(digest.as_str().unwrap().len(), 64);
    scene.ordered(&json!({"order": "revoke_measurement", "measurement": digest}));
    wait_until("no worker serves", SOON, || scene.ask().code() == "worker_failing");
    wait_until("another one is refused", SOON, || {
        scene.demo.log().contains("the worker's measurement is revoked")
    });
    assert_eq!(scene.standing()["workers"], json!([]));
    scene.ordered(&json!({"order": "restore_measurement", "measurement": digest}));
    wait_until("a worker serves again", SOON, || scene.ask().status == 200);
}

#[test]
fn an_admin_hears_what_is_wrong_with_a_folder() {
    let scene = Scene::start();
    let file = Path::new(scene.demo.fact("policies")).join("rules/scope.cedar");
    let good = fs::read_to_string(&file).unwrap();
    let replace = |text: &str| {
        let beside = scene.demo.state().join("beside");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, &file).unwrap();
    };
    replace(&good.replace("scopes", "scoops"));
    let reply = scene.admin.post("/v1/admin/reload", &scene.operator, b"");
    assert_eq!((reply.status, reply.code().as_str()), (422, "policy_refused"));
    let mistakes = reply.json()["mistakes"].to_string();
    assert!(mistakes.contains("did you mean `scopes`?"), "{mistakes}");
    assert_eq!(scene.standing()["policy"]["newest"], false);
    let metrics = scene.admin.get("/metrics", &scene.operator);
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.contains("\nsealgate_policy_newest 0\n"), "{metrics}");
    replace(&good);
    let reply = scene.admin.post("/v1/admin/reload", &scene.operator, b"");
    assert_eq!((reply.status, &reply.json()["changed"]), (200, &json!(false)));
    assert_eq!(scene.standing()["policy"]["newest"], true);
}

#[test]
fn an_admin_sees_that_the_copy_of_the_logs_checkpoint_cannot_be_written() {
    let demo = Demo::start();
    let operator = demo.token_for(&["--subject", "ops", "--group", "operators"]);
    let stopped = demo.stop();
    let metric = |gateway: &Gateway| {
        let metrics = String::from_utf8(gateway.admin().get("/metrics", &operator).body).unwrap();
        assert!(metrics.contains("\nsealgate_audit_writable 1\n"), "{metrics}");
        assert!(metrics.contains("\nsealgate_audit_published 1\n"), "{metrics}");
        metrics.contains("\nsealgate_audit_checkpoint_copy_failed 1\n")
    };
    let gateway = Gateway::start(&stopped);
    assert!(!metric(&gateway));
    gateway.stop();
    stopped.change("gateway.toml", |config| {
        let line = config.lines().find(|line| line.starts_with("checkpoint_copy")).unwrap();
        config.replace(line, "checkpoint_copy = \"/dev/null/checkpoint\"")
    });
    let gateway = Gateway::start(&stopped);
    wait_until("the metric says so", SOON, || metric(&gateway));
    // The operator's log is written every second.
    let since = Instant::now();
    wait_until("some seconds have passed", SOON, || since.elapsed() > Duration::from_millis(2_500));
    let told = gateway.stop();
    assert_eq!(
        told.matches("the copy of the audit log's checkpoint cannot be").count(),
        1,
        "{told}"
    );
}

#[test]
fn orders_that_cannot_be_read_stop_the_gateway_from_starting() {
    let stopped = Demo::start().stop();
    fs::write(stopped.state.path().join("audit-emergency.json"), "{").unwrap();
    let config = stopped.state.path().join("gateway.toml");
    let output = std::process::Command::new(support::binary("sealgate-gateway"))
        .args(["--check", "--config", config.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("audit-emergency.json` cannot be read"), "{told}");
}

#[test]
fn the_command_line_gives_the_same_orders() {
    let scene = Scene::start();
    let token = scene.demo.state().join("operator.token");
    fs::write(&token, &scene.operator).unwrap();
    let admin = |arguments: &[&str]| {
        let state = scene.demo.state_text();
        let at = ["admin", "--state", state, "--token", token.to_str().unwrap()];
        sealgate(&[&at, arguments].concat())
    };
    stdout(&admin(&["revoke", "sub", "demo"]));
    assert_eq!(scene.ask().code(), "token_revoked");
    stdout(&admin(&["lock-down"]));
    assert!(stdout(&admin(&["standing"])).contains("\"locked_down\": true"));
    stdout(&admin(&["lift-lock-down"]));
    stdout(&admin(&["reload"]));
    fs::write(&token, scene.demo.token()).unwrap();
    let refused = admin(&["lock-down"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("token_revoked"));
}
