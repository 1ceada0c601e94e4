//! The three questions of docs/audit.md, asked by the very commands that stand there.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sealgate_audit::{CheckpointKey, Event, Log, Options, Origin};
use tempfile::TempDir;

use super::sealgate::{run, text};

const DAY_US: u64 = 86_400_000_000;

/// The commands of the walk-through, in its order.
fn commands() -> Vec<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit.md");
    let docs = fs::read_to_string(docs).unwrap();
    let (_, rest) = docs.split_once("## Three questions in a minute\n").unwrap();
    let (part, _) = rest.split_once("\n## ").unwrap();
    let last_cell = |line: &str| {
        let cell = line.strip_suffix(" |")?.rsplit_once(" | `")?.1.strip_suffix('`')?;
        cell.strip_prefix("sealgate ").map(str::to_owned)
    };
    part.lines().filter_map(last_cell).collect()
}

fn decision(i: u64, tenant: &str, verdict: &str, code: &str) -> Event {
    let rule = if verdict == "allow" { "clinicians-infer" } else { "tenants-stay-apart" };
    let decision = serde_json::json!({"type": "decision", "event": {
        "action": "infer", "address": "192.0.2.0/24", "code": code,
        "caller": {"issuer": "https://i.example", "subject": "dr-house", "tenant": tenant},
        "inputs": {"groups": [], "scopes": [], "token_age_s": 1}, "limit_profile": "standard",
        "mode": "gateway-sealed", "model": "tumour", "policy_digest": "00", "protocol": "v2",
        "release_profile": "full", "request_id": id(i), "rows_reserved": 1, "rules": [rule],
        "verdict": verdict}});
    serde_json::from_value(decision).unwrap()
}

fn id(i: u64) -> String {
    format!("{i:032x}")
}

/// A state folder with a log of yesterday and today.
fn state() -> TempDir {
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().join("audit");
    let options = Options {
        low_water_bytes: 0,
        ..Options::new(dir, Origin::new("test.example/audit").unwrap())
    };
    let key = CheckpointKey::create(&state.path().join("key")).unwrap();
    let today_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
    let now_us = Arc::new(AtomicU64::new(today_us - DAY_US));
    let clock = Arc::clone(&now_us);
    let (log, _) =
        Log::open(options, key, Arc::new(move || clock.load(Ordering::Relaxed))).unwrap();
    let yesterday = [
        decision(1, "general-hospital", "deny", "other_tenant"),
        decision(2, "lakeside-clinic", "deny", "other_tenant"),
        decision(3, "general-hospital", "allow", "allowed"),
    ];
    for event in yesterday {
        log.append_and_wait(&event).unwrap();
    }
    now_us.store(today_us, Ordering::Relaxed);
    log.append_and_wait(&decision(4, "general-hospital", "deny", "other_tenant")).unwrap();
    log.close().unwrap();
    state
}

#[test]
fn each_question_of_the_walk_through_is_answered_by_the_command_beside_it() {
    let commands = commands();
    let [refusals, rule, whole] = commands.as_slice() else { unreachable!("{commands:?}") };
    let state = state();
    let ask = |command: &str| {
        let command = command.replace("$S", text(state.path())).replace("ID", &id(3));
        run(command.split(' ')).well()
    };
    let said = ask(refusals);
    assert!(said.contains(&id(1)), "{said}");
    for other in [2, 3, 4] {
        assert!(!said.contains(&id(other)), "{other}: {said}");
    }
    let said = ask(rule);
    assert!(said.contains("clinicians-infer") && !said.contains("tenants-stay-apart"), "{said}");
    assert!(ask(whole).ends_with(" is well\n"));
}
