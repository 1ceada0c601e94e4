//! `sealgate audit index|query|tail|show|export` on a log made here.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use sealgate_audit::{
    Caller, CheckpointKey, Decision, Event, Inputs, Log, Mode, Options, Origin, Outcome, Refused,
    Texts, Verdict,
};
use tempfile::TempDir;

use super::sealgate::{binary, run, text};

/// A subject that would clear a terminal, reorder a line and be a formula.
const HOSTILE: &str = "=1+1\u{1b}[2J\u{202e}";
/// 2026-11-18T13:33:20Z.
const NOW_US: u64 = 1_795_008_800_000_000;

struct Sample {
    place: TempDir,
    dir: PathBuf,
}

fn id(i: u64) -> String {
    format!("{i:032x}")
}

fn decision(i: u64, subject: &str, verdict: Verdict, code: &str) -> Event {
    Event::Decision(Box::new(Decision {
        action: "infer".into(),
        address: "192.0.2.0/24".into(),
        caller: Caller {
            client_id: None,
            issuer: "https://issuer.example".into(),
            subject: subject.into(),
            tenant: "north".into(),
            token_id: None,
        },
        budget: None,
        candidate_digest: None,
        charge: None,
        code: code.into(),
        inputs: Inputs {
            clearance: None,
            groups: Texts::default(),
            scopes: Texts::default(),
            token_age_s: 1,
        },
        limit_profile: "standard".into(),
        mode: Mode::GatewaySealed,
        model: "tumour".into(),
        model_digest: None,
        model_version: None,
        policy_digest: "11".repeat(32).into(),
        protocol: "v2".into(),
        release_profile: "full".into(),
        request_id: id(i).into(),
        rows_reserved: 1,
        rules: ["clinicians-infer"].into_iter().collect(),
        verdict,
    }))
}

fn outcome(i: u64) -> Event {
    Event::Outcome(Box::new(Outcome {
        code: "ok".into(),
        keyset_digest: None,
        length_class: "4096".into(),
        model_digest: None,
        receipt_digest: None,
        request_id: id(i).into(),
        rows: 3,
        stages_us: [("total".into(), 1_234)].into(),
        status: 200,
        usage: None,
    }))
}

fn log() -> Sample {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("audit");
    let options = Options {
        low_water_bytes: 0,
        ..Options::new(&dir, Origin::new("test.example/audit").unwrap())
    };
    let key = CheckpointKey::create(&place.path().join("key")).unwrap();
    let (log, _) = Log::open(options, key, Arc::new(|| NOW_US)).unwrap();
    for event in [
        decision(1, "dr-house", Verdict::Allow, "allowed"),
        outcome(1),
        decision(2, HOSTILE, Verdict::Deny, "other_tenant"),
        Event::Refused(Refused { count: 7, reason: "token_missing".into(), second: 1 }),
    ] {
        log.append_and_wait(&event).unwrap();
    }
    log.close().unwrap();
    Sample { place, dir }
}

fn ask<'a>(sample: &'a Sample, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["audit", command, text(&sample.dir)], more].concat()
}

#[test]
fn requests_are_listed_the_newest_first() {
    let sample = log();
    let said = run(ask(&sample, "query", &[])).well();
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("time "), "{said}");
    assert!(lines[1].contains("deny     other_tenant"), "{said}");
    assert!(lines[2].starts_with("2026-11-18T13:33:20.000Z  "), "{said}");
    assert!(lines[2].ends_with("allow    ok            3     1.234"), "{said}");
}

#[test]
fn nothing_that_a_token_says_reaches_the_terminal_as_an_order() {
    let sample = log();
    let hostile = id(2);
    for arguments in [
        ask(&sample, "query", &[]),
        ask(&sample, "query", &["--by", "caller"]),
        ask(&sample, "tail", &[]),
        ask(&sample, "show", &[&hostile]),
    ] {
        let said = run(&arguments).well();
        assert!(said.contains("=1+1\\u{1b}[2J\\u{202e}"), "{arguments:?}: {said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{arguments:?}");
    }
}

#[test]
fn a_program_gets_what_a_token_says_unchanged() {
    let sample = log();
    let report = run(ask(&sample, "query", &["--json"])).json();
    assert_eq!(report["requests"][0]["caller"]["subject"], HOSTILE);
    assert_eq!(report["next"], serde_json::Value::Null);
}

#[test]
fn filters_and_pages_choose() {
    let sample = log();
    let subjects = |more: &[&str]| -> Vec<String> {
        let report = run(ask(&sample, "query", &[more, &["--json"]].concat())).json();
        let requests = report["requests"].as_array().unwrap().iter();
        requests.map(|r| r["caller"]["subject"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(subjects(&["--verdict", "allow"]), ["dr-house"]);
    assert_eq!(subjects(&["--code", "other_tenant"]), [HOSTILE]);
    assert_eq!(subjects(&["--since", "2026-11-19"]), [""; 0]);
    assert_eq!(subjects(&["--until", "2026-11-19", "--search", "dr-"]), ["dr-house"]);
    let first = run(ask(&sample, "query", &["--limit", "1", "--json"])).json();
    let next = first["next"].to_string();
    assert_eq!(subjects(&["--limit", "1", "--behind", &next]), ["dr-house"]);
}

#[test]
fn totals_are_counted_by_what_is_asked_for() {
    let sample = log();
    let by = ["--by", "verdict,code", "--json"];
    let report = run(ask(&sample, "query", &by)).json();
    assert_eq!(report["by"], serde_json::json!(["verdict", "code"]));
    let keys: Vec<_> = report["totals"].as_array().unwrap().iter().map(|t| &t["key"]).collect();
    assert_eq!(
        keys,
        [&serde_json::json!(["deny", "other_tenant"]), &serde_json::json!(["allow", "ok"])]
    );
    let refused = run(ask(&sample, "query", &["--by", "refusal"])).well();
    assert!(refused.contains("token_missing  7"), "{refused}");
}

#[test]
fn what_cannot_be_asked_is_bad_usage_with_a_hint() {
    let sample = log();
    for more in [
        &["--since", "noon"][..],
        &["--by", "colour"],
        &["--by", "refusal,model"],
        &["--verdict", "maybe"],
    ] {
        let said = run(ask(&sample, "query", more)).failed(64);
        assert!(said.contains("error"), "{said}");
    }
}

#[test]
fn a_story_is_told_in_words_with_the_place_of_each_record() {
    let sample = log();
    let request = id(1);
    let said = run(ask(&sample, "show", &[&request])).well();
    for expected in [
        "dr-house may infer tumour",
        "the worker answered",
        "rules            clinicians-infer",
        "status           200",
        "record           1, `segment-00000001.log` at byte ",
        "leaf             ",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = run(ask(&sample, "show", &["00"])).failed(1);
    assert!(said.contains("no request `00` is on record"), "{said}");
}

#[test]
fn an_export_goes_to_a_new_file_that_only_its_owner_may_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let sample = log();
    let out = sample.place.path().join("export.csv");
    let arguments = ask(&sample, "export", &["--format", "csv", "--out", text(&out)]);
    let ran = run(&arguments);
    assert!(ran.err.contains("wrote 2 requests"), "{}", ran.err);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&out).unwrap().contains(",'=1+1"));
    run(&arguments).failed(1);
}

#[test]
fn ocsf_is_one_event_a_line() {
    let sample = log();
    let said = run(ask(&sample, "export", &["--format", "ocsf"])).well();
    let classes: Vec<_> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["class_uid"].clone())
        .collect();
    assert_eq!(classes, [6003, 6003]);
}

#[test]
fn an_index_lies_beside_the_log_and_is_made_anew_on_demand() {
    let sample = log();
    let said = run(ask(&sample, "index", &[])).well();
    assert_eq!(said, "indexed 5 records\n");
    assert!(sample.place.path().join("audit-index.sqlite").exists());
    assert_eq!(run(ask(&sample, "index", &[])).well(), "indexed 0 more records\n");
    assert_eq!(run(ask(&sample, "index", &["--rebuild"])).well(), "indexed 5 records\n");
    run(["audit", "verify", text(&sample.dir)]).well();
}

#[test]
fn an_answer_from_a_damaged_log_says_that_it_is_not_all() {
    let sample = log();
    let segment = sample.dir.join("segment-00000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    let needle = id(2);
    let at = bytes.windows(32).position(|window| window == needle.as_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let ran = run(ask(&sample, "query", &[]));
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("dr-house"), "{}", ran.out);
    assert!(ran.err.contains("cannot be read further than `segment-00000001.log`"), "{}", ran.err);
}

#[test]
fn following_ends_when_nobody_reads() {
    let sample = log();
    let arguments = ask(&sample, "tail", &["-f", "-n", "1"]);
    let mut tail = Command::new(binary()).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("other_tenant"), "{line}");
    // The reader is gone; the next line has nowhere to go.
    let options = Options {
        low_water_bytes: 0,
        ..Options::new(&sample.dir, Origin::new("test.example/audit").unwrap())
    };
    let key = CheckpointKey::load(&sample.place.path().join("key")).unwrap();
    let (log, _) = Log::open(options, key, Arc::new(|| NOW_US)).unwrap();
    log.append_and_wait(&decision(3, "dr-wilson", Verdict::Allow, "allowed")).unwrap();
    log.close().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while tail.try_wait().unwrap().is_none() {
        assert!(std::time::Instant::now() < deadline, "it went on");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn the_page_is_served_until_it_is_interrupted() {
    use std::io::{Read as _, Write as _};
    let sample = log();
    let arguments = ask(&sample, "serve", &["--no-open"]);
    let mut serve = Command::new(binary()).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(serve.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let (host, path) = url.trim().strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut page = std::net::TcpStream::connect(host).unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    page.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(serve.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(serve.wait().unwrap().success());
}

#[test]
fn the_page_is_for_this_machine_alone() {
    let sample = log();
    let said = run(ask(&sample, "serve", &["--no-open", "--listen", "0.0.0.0:0"])).failed(64);
    assert!(said.contains("can be reached from other machines"), "{said}");
    let missing = sample.place.path().join("missing");
    let policies = ["--no-open", "--policies", text(&missing)];
    let said = run(ask(&sample, "serve", &policies)).failed(78);
    assert!(said.contains("sealgate policy check"), "{said}");
}
