//! What leaves for other programs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod scene;

use std::collections::BTreeSet;

use scene::{MIDNIGHT_US, Scene, allowed, decision, denied, outcome};
use sealgate_audit::{Decision, Event, Mode, Text};
use sealgate_review::Filter;
use sealgate_review::export::Format;
use serde_json::Value;

/// A subject that would like to be a formula, a second line, a second cell and an order to a
/// terminal.
const HOSTILE: &str = "=cmd|' /C calc'!A0\",\r\n\u{1b}[2J\u{202e}";

fn sample() -> Scene {
    let mut scene = Scene::new();
    scene.append(&allowed(1, "dr-house", "tumour"));
    scene.append(&outcome(1, "ok", 200, 3));
    scene.append(&denied(2, "dr-wilson", "churn", "other_tenant"));
    scene.append(&allowed(3, HOSTILE, "tumour"));
    scene.append(&outcome(3, "worker_busy", 503, 0));
    scene.append(&allowed(4, "dr-house", "tumour"));
    scene.append(&Event::Decision(Box::new(Decision {
        action: "list_models".into(),
        address: Text::from(""),
        mode: Mode::ClientSealed,
        model: "".into(),
        ..decision(5, "dr-house", "")
    })));
    scene.close();
    scene
}

fn exported(format: Format) -> String {
    let mut out = Vec::new();
    let written = sample().index().export(&Filter::default(), format, &mut out, &mut |_| {});
    assert_eq!(written.unwrap(), 5);
    String::from_utf8(out).unwrap()
}

fn events() -> Vec<Value> {
    exported(Format::Ocsf).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_row_of_csv_stands_for_each_request_and_reads_back() {
    let text = exported(Format::Csv);
    assert!(text.starts_with("record,time,request_id,tenant,subject,"), "{text}");
    assert!(text.ends_with("\r\n"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 5);
    assert_eq!(&rows[0][4], "dr-house");
    assert_eq!((&rows[1][13], &rows[1][14], &rows[1][19]), ("deny", "other_tenant", ""));
}

#[test]
fn a_cell_from_a_token_is_no_formula() {
    let text = exported(Format::Csv);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows[2][4], format!("'{HOSTILE}"));
}

#[test]
fn a_selection_is_all_that_is_exported() {
    let filter = Filter { subject: Some("dr-wilson".to_owned()), ..Filter::default() };
    let mut out = Vec::new();
    let written = sample().index().export(&filter, Format::Csv, &mut out, &mut |_| {}).unwrap();
    assert_eq!((written, String::from_utf8(out).unwrap().lines().count()), (1, 2));
}

/// The attributes that OCSF 1.9.0 requires of an API Activity event and of the objects in it, and
/// all that it knows of those that are written.
const OBJECTS: &[(&str, &[&str], &[&str])] = &[
    (
        "",
        &[
            "activity_id",
            "category_uid",
            "class_uid",
            "metadata",
            "severity_id",
            "time",
            "type_uid",
            "actor",
            "api",
            "src_endpoint",
        ],
        &[
            "activity_name",
            "category_name",
            "class_name",
            "severity",
            "type_name",
            "status",
            "status_id",
            "status_code",
            "resources",
            "unmapped",
            "ai_model",
            "http_response",
        ],
    ),
    (
        "/metadata",
        &["product", "version"],
        &["profiles", "log_name", "uid", "correlation_uid", "sequence", "tenant_uid"],
    ),
    ("/metadata/product", &["name"], &["vendor_name"]),
    ("/actor", &["user"], &["idp", "authorizations"]),
    ("/actor/user", &["uid"], &["name", "org"]),
    ("/actor/user/org", &["uid"], &[]),
    ("/actor/idp", &["name"], &["issuer"]),
    ("/actor/authorizations/0", &["decision"], &["policy"]),
    ("/actor/authorizations/0/policy", &["uid"], &["name", "is_applied"]),
    ("/api", &["operation"], &["request", "response", "service"]),
    ("/api/request", &["uid"], &[]),
    ("/api/response", &[], &["code", "message"]),
    ("/src_endpoint", &["name"], &["subnet_uid"]),
    ("/resources/0", &["name"], &["type", "version"]),
    ("/ai_model", &["ai_provider", "name"], &["uid", "version"]),
    ("/http_response", &["code"], &["latency"]),
];

#[test]
fn every_event_has_what_its_class_requires_and_nothing_that_it_does_not_know() {
    for event in events() {
        for (path, required, known) in OBJECTS {
            let Some(object) = event.pointer(path) else { continue };
            let found: BTreeSet<_> =
                object.as_object().unwrap().keys().map(String::as_str).collect();
            let required: BTreeSet<_> = required.iter().copied().collect();
            assert!(required.is_subset(&found), "{path}: {object}");
            let known = known.iter().copied().collect();
            assert!(
                found.is_subset(&required.union(&known).copied().collect()),
                "{path}: {object}"
            );
        }
    }
}

#[test]
fn every_event_names_class_version_and_profile() {
    for event in events() {
        let activity = event["activity_id"].as_u64().unwrap();
        assert!([1, 2, 3, 4, 99].contains(&activity));
        assert_eq!((&event["class_uid"], &event["category_uid"]), (&6003.into(), &6.into()));
        assert_eq!(event["type_uid"], 600_300 + activity);
        assert_eq!(event["metadata"]["version"], "1.9.0");
        assert_eq!(event["metadata"]["profiles"][0], "ai_operation");
        assert_eq!(event["metadata"]["log_name"], "test.example/audit");
        // Milliseconds.
        assert_eq!(event["time"], MIDNIGHT_US / 1_000);
    }
}

#[test]
fn success_is_what_was_allowed_and_answered() {
    let status: Vec<_> = events().iter().map(|event| event["status"].clone()).collect();
    assert_eq!(status, ["Success", "Failure", "Failure", "Unknown", "Unknown"]);
}

#[test]
fn nothing_is_null_and_a_line_is_an_event_whatever_a_token_says() {
    let text = exported(Format::Ocsf);
    assert_eq!(text.lines().count(), 5);
    assert!(!text.contains("null"), "{text}");
    let hostile = &events()[2]["actor"]["user"]["uid"];
    assert_eq!(hostile, HOSTILE);
}
