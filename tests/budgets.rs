//! What requests cost, and that no budget is exceeded: through real processes over TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "support/sealed.rs"]
mod sealed;
mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use sealed::{INFER, inner, key_list};
use sealgate_keys::ohttp::Kem;
use serde_json::{Value, json};
use support::{Demo, Gateway, Https, Reply, Stopped, sealgate, stdout, wait_until};

/// A request costs one unit, so that what passes can be counted.
const UNITS: &str = "[prices]\ncurrency = \"unit\"\nper_request = \"1\"\n";

#[test]
fn exactly_a_thousand_units_pass_sixteen_racing_callers_of_a_tenant() {
    let scene = Scene::start(&format!("{UNITS}{}", a_month(1_000)), 16);
    let passed = scene.race(70, |_| ());
    assert_eq!(passed, 1_000);
    let refused = post(&scene.https(), &scene.tokens[3], &scene.rows(1));
    assert_eq!((refused.status, refused.code().as_str()), (429, "budget_spent"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=31 * 86_400).contains(&wait), "{wait}");
    let told = refused.json()["error"].as_str().unwrap().to_owned();
    assert!(
        told.contains("your tenant's budget `a-month`") && told.ends_with("-01T00:00:00Z"),
        "{told}"
    );

    let denied = scene.event("decision", |event| {
        event["request_id"] == json!(refused.header("sealgate-request-id").unwrap())
    });
    assert_eq!((&denied["verdict"], &denied["code"]), (&json!("deny"), &json!("budget_spent")));
    assert_eq!((&denied["budget"], &denied["charge"]), (&json!("a-month"), &Value::Null));
    assert_eq!(denied["rules"], json!(["clinicians-infer"]));
    // Who is of another tenant has another budget.
    assert_eq!(post(&scene.https(), &scene.elsewhere, &scene.rows(1)).status, 200);
    let warned = scene.events("budget_warned");
    let told: Vec<_> = warned.iter().map(|w| (&w["percent"], &w["budget"], &w["amount"])).collect();
    let (name, amount) = (json!("a-month"), json!("1000"));
    assert_eq!(told, [(&json!(80), &name, &amount), (&json!(95), &name, &amount)]);
}

#[test]
fn a_gateway_that_is_killed_and_started_anew_knows_all_that_was_spent() {
    let mut scene = Scene::start(&format!("{UNITS}{}", a_month(1_000)), 16);
    let gateway = scene.gateway.take().unwrap();
    let passed = AtomicU32::new(0);
    thread::scope(|scope| {
        for token in &scene.tokens {
            let https = gateway.https().clone();
            let (scene, passed) = (&scene, &passed);
            scope.spawn(move || {
                while let Some(reply) = try_post(&https, token, &scene.rows(1)) {
                    assert_eq!(reply.status, 200, "{}", reply.code());
                    passed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        wait_until("some have passed", Duration::from_secs(60), || {
            passed.load(Ordering::Relaxed) >= 300
        });
        // SIGKILL, in the middle of it.
        drop(gateway);
    });
    let before = passed.load(Ordering::Relaxed);
    scene.gateway = Some(Gateway::start(&scene.stopped));
    let after = scene.race(70, |_| ());
    assert!(before < 1_000 && before + after <= 1_000, "{before} and {after}");
    // What was in flight when it was killed is spent, and nothing else.
    assert!(before + after >= 1_000 - 16, "{before} and {after}");
    let warned = scene.events("budget_warned");
    let told: Vec<_> = warned.iter().map(|warned| &warned["percent"]).collect();
    assert_eq!(told, [80, 95], "over the restart too, each is told once");
}

#[test]
fn time_is_reserved_before_the_work_and_settled_after_it() {
    // 10 s of 1 GB are reserved at 0.1 a second, so 16 at once would take 16 of the 4 units.
    let prices = "[prices]\ncurrency = \"unit\"\nper_gb_second = \"0.1\"\nmemory_mb = 1024\n";
    let scene = Scene::start(&format!("{prices}{}", a_month(4)), 16);
    let passed = scene.race(20, |reply| {
        let wait = reply.header("retry-after").unwrap_or("1");
        assert!(reply.status == 200 || wait == "1", "held by requests in flight alone: {wait}");
    });
    // Each takes a ten-thousandth of what is reserved for it: all could pass one after the other, but
    // not more than four at once.
    assert!((20..320).contains(&passed), "{passed} of 320");
    wait_until("all outcomes are on record", Duration::from_secs(10), || {
        scene.charges().len() == usize::try_from(passed).unwrap()
    });
    let charges = scene.charges();
    for (reserved, usage) in &charges {
        assert_eq!(*reserved, 1_000_000_000_000, "a unit");
        let busy_us = usage["busy_us"].as_u64().unwrap();
        assert!((1..10_000_000).contains(&busy_us), "{busy_us}");
        // 0.1 units a second of 1 GB.
        assert_eq!(usage["charge"].as_u64().unwrap(), busy_us * 100_000);
        assert_eq!(usage["memory_mb"], 1024);
        assert!(usage["bytes_in"].as_u64().unwrap().is_power_of_two());
        assert!(usage["bytes_out"].as_u64().unwrap().is_power_of_two());
    }
}

#[test]
fn a_callers_day_is_its_own_and_a_new_budget_counts_what_was_spent_before_it() {
    let scene = Scene::start(&format!("{UNITS}{}", a_day(5)), 2);
    let ask = |token: &str| post(&scene.https(), token, &scene.rows(1));
    let [one, other] = [&scene.tokens[0], &scene.tokens[1]];
    assert!((0..5).all(|_| ask(one).status == 200));
    let refused = ask(one);
    assert_eq!(refused.code(), "budget_spent");
    assert!(refused.json()["error"].as_str().unwrap().starts_with("your budget `a-day`"));
    assert_eq!(ask(other).status, 200);
    // From now on the tenant has a month of seven, of which six are spent.
    scene.stopped.change("policies/limits.toml", |text| {
        text.replace(&a_day(5), &format!("{}{}", a_day(50), a_month(7)))
    });
    wait_until("the budget is in force", Duration::from_secs(20), || {
        !scene.events("prices_set").iter().all(|set| set["budgets"].as_array().unwrap().len() == 1)
    });
    assert_eq!(ask(one).status, 200);
    assert_eq!(ask(other).code(), "budget_spent");
}

#[test]
fn what_nobody_worked_on_costs_nothing_and_what_a_client_seals_costs_the_same() {
    let scene = Scene::start(&format!("{UNITS}{}", a_day(3)), 1);
    let (https, token) = (scene.https(), &scene.tokens[0]);
    let list = key_list(&https, token);
    for _ in 0..4 {
        let spoilt = sealed::post(&https, token, b"nobody opens this");
        assert_eq!(spoilt.status, 400);
    }
    for _ in 0..3 {
        let (message, _opener) = sealed::sealed(&list, Kem::X25519, &inner(&scene.rows(1)));
        assert_eq!(sealed::post(&https, token, &message).status, 200);
    }
    assert_eq!(post(&https, token, &scene.rows(1)).code(), "budget_spent");
    let charged: Vec<_> = scene.charges().iter().map(|(_, used)| used["charge"].clone()).collect();
    let unit = json!(1_000_000_000_000_u64);
    assert_eq!(charged, [json!(0), json!(0), json!(0), json!(0), unit.clone(), unit.clone(), unit]);
}

#[test]
fn usage_tells_what_the_log_says() {
    let scene = Scene::start(&format!("{UNITS}{}", a_month(100)), 2);
    for token in &scene.tokens {
        assert!((0..4).all(|_| post(&scene.https(), token, &scene.rows(2)).status == 200));
    }
    assert_eq!(post(&scene.https(), &scene.elsewhere, &scene.rows(3)).status, 200);
    wait_until("all outcomes are on record", Duration::from_secs(10), || {
        scene.charges().len() == 9
    });
    let audit = scene.stopped.fact("audit").to_owned();
    let usage = |more: &[&str]| stdout(&sealgate(&[&["usage", &audit], more].concat()));
    let report: Value = serde_json::from_str(&usage(&["--by", "tenant,caller", "--json"])).unwrap();
    let used = report["used"].as_array().unwrap().iter();
    // The demo asked for somebody itself, before there were prices.
    let costs: Vec<_> = used.map(|used| &used["cost"]).filter(|cost| **cost != "0").collect();
    assert_eq!(costs, [&json!("4"), &json!("4"), &json!("1")]);
    let total = &report["total"];
    assert_eq!((&total["cost"], &report["currency"]), (&json!("9"), &json!("unit")));
    let sum = |field: &str| -> u64 {
        let outcomes = scene.events("outcome");
        outcomes.iter().filter_map(|outcome| outcome["usage"][field].as_u64()).sum()
    };
    for field in ["busy_us", "bytes_in", "bytes_out"] {
        assert_eq!(total[field], json!(sum(field)), "{field}");
    }
    let budget = &report["budgets"][0];
    assert_eq!((&budget["budget"], &budget["spent"]), (&json!("a-month"), &json!("8")));
    let idle = &report["idle"][0];
    assert!(idle["alive_us"].as_u64() > idle["busy_us"].as_u64(), "{idle}");
    let csv = usage(&["--by", "model", "--csv"]);
    let row = csv.lines().nth(1).unwrap();
    assert!(row.starts_with("breast-cancer,") && row.ends_with(",9,unit"), "{csv}");
    let text = usage(&["--forecast"]);
    assert!(text.contains("unit over time") && text.contains('#'), "{text}");
    assert!(text.contains("kept, and not at work"), "{text}");
}

/// A gateway with prices, tokens of so many callers of one tenant, and one of another's.
struct Scene {
    gateway: Option<Gateway>,
    stopped: Stopped,
    tokens: Vec<String>,
    elsewhere: String,
    row: Vec<Value>,
}

impl Scene {
    fn start(costs: &str, callers: usize) -> Self {
        let demo = Demo::start();
        let token_for = |leave_out: &[&str], more: &[&str]| {
            let claims = demo.allowed_claims(leave_out);
            let claims: Vec<&str> =
                claims.iter().map(String::as_str).chain(more.iter().copied()).collect();
            demo.token_for(&claims)
        };
        let caller = |n: usize| token_for(&["subject"], &["--subject", &format!("caller-{n}")]);
        let tokens = (0..callers).map(caller).collect();
        let elsewhere = token_for(&["tenant"], &["--tenant", "lakeside-clinic"]);
        let example: Value = serde_json::from_slice(&demo.example()).unwrap();
        let mut row = Vec::new();
        flatten(&example["inputs"][0]["data"], &mut row);
        row.truncate(30);
        let stopped = demo.stop();
        stopped.without_policy_tests();
        stopped.change("policies/limits.toml", |text| format!("{text}\n{costs}"));
        // Here two tenants use one model.
        std::fs::remove_file(stopped.state.path().join("policies/rules/tenants.cedar")).unwrap();
        let gateway = Some(Gateway::start(&stopped));
        Self { gateway, stopped, tokens, elsewhere, row }
    }

    fn https(&self) -> Https {
        self.gateway.as_ref().unwrap().https().clone()
    }

    fn rows(&self, count: u32) -> Vec<u8> {
        let data: Vec<&Value> = (0..count).flat_map(|_| &self.row).collect();
        let input = json!({"name": "x", "shape": [count, 30], "datatype": "FP32", "data": data});
        json!({"inputs": [input]}).to_string().into_bytes()
    }

    /// How many requests pass when each caller sends so many.
    fn race(&self, each: u32, look: impl Fn(&Reply) + Sync) -> u32 {
        let passed = AtomicU32::new(0);
        thread::scope(|scope| {
            for token in &self.tokens {
                let (passed, look) = (&passed, &look);
                scope.spawn(move || {
                    let https = self.https();
                    for _ in 0..each {
                        let reply = post(&https, token, &self.rows(1));
                        assert!([200, 429].contains(&reply.status), "{}", reply.code());
                        look(&reply);
                        passed.fetch_add(u32::from(reply.status == 200), Ordering::Relaxed);
                    }
                });
            }
        });
        passed.into_inner()
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let records = self.stopped.records().into_iter();
        records.filter(|r| r["type"] == kind).map(|mut r| r["event"].take()).collect()
    }

    fn event(&self, kind: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.events(kind).into_iter().find(is).expect("such a record")
    }

    /// What was reserved and used, of each request that was charged and has its outcome.
    fn charges(&self) -> Vec<(u64, Value)> {
        let outcomes = self.events("outcome");
        let charged = self.events("decision").into_iter().filter_map(|decision| {
            let reserved = decision["charge"]["reserved"].as_u64()?;
            let id = &decision["request_id"];
            let outcome = outcomes.iter().find(|outcome| outcome["request_id"] == *id)?;
            Some((reserved, outcome["usage"].clone()))
        });
        charged.filter(|(_, usage)| !usage.is_null()).collect()
    }
}

fn a_month(units: u32) -> String {
    format!("[budgets.a-month]\nof = \"tenant\"\nper = \"month\"\namount = \"{units}\"\n")
}

fn a_day(units: u32) -> String {
    format!("[budgets.a-day]\nof = \"caller\"\nper = \"day\"\namount = \"{units}\"\n")
}

fn post(https: &Https, token: &str, body: &[u8]) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("Sealgate-Rows", "8"),
    ];
    https.request("POST", INFER, &headers, body)
}

/// The same where the gateway may be gone.
fn try_post(https: &Https, token: &str, body: &[u8]) -> Option<Reply> {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    https.try_request("POST", INFER, &headers, body)
}

fn flatten(value: &Value, numbers: &mut Vec<Value>) {
    match value.as_array() {
        Some(values) => values.iter().for_each(|value| flatten(value, numbers)),
        None => numbers.push(value.clone()),
    }
}
