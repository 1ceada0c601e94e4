//! An index is what the log says, lies where it should, and answers what it is asked.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod scene;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rusqlite::Connection;
use scene::{
    HOUR_US, MIDNIGHT_US, Scene, allowed, decision, denied, differed, outcome, refused, started,
};
use sealgate_audit::{Event, Verdict};
use sealgate_review::{Filter, Index, Moment, Order, Page, ReviewError, beside};

#[test]
fn a_refresh_adds_what_is_new_and_nothing_twice() {
    let mut scene = Scene::new();
    scene.append(&allowed(1, "s", "m"));
    scene.close();
    let mut index = Index::open(&scene.dir(), &beside(&scene.dir())).unwrap();
    let first = index.refresh(&mut |_, _| {}).unwrap();
    assert_eq!((first.added, first.anew), (2, true));
    let second = index.refresh(&mut |_, _| {}).unwrap();
    assert_eq!((second.added, second.anew), (0, false));
    scene.open();
    scene.append(&outcome(1, "ok", 200, 1));
    scene.close();
    let third = index.refresh(&mut |_, _| {}).unwrap();
    assert_eq!((third.added, third.anew), (1, false));
    let requests = index.requests(&Filter::default(), &Page::default()).unwrap();
    assert_eq!((requests.len(), requests[0].code.as_str()), (1, "ok"));
}

#[test]
fn another_log_in_the_same_place_is_indexed_anew() {
    let mut scene = Scene::new();
    scene.append(&allowed(1, "s", "m"));
    scene.close();
    scene.index();
    fs::remove_dir_all(scene.dir()).unwrap();
    scene.open();
    scene.append(&allowed(2, "other", "m"));
    scene.close();
    let mut index = Index::open(&scene.dir(), &beside(&scene.dir())).unwrap();
    assert!(index.refresh(&mut |_, _| {}).unwrap().anew);
    let requests = index.requests(&Filter::default(), &Page::default()).unwrap();
    assert_eq!((requests.len(), requests[0].caller.subject.as_str()), (1, "other"));
}

#[test]
fn what_stands_behind_damage_is_not_indexed_and_the_damage_is_told() {
    let mut scene = Scene::new();
    for i in 0..9 {
        scene.append(&allowed(i, "s", "m"));
    }
    scene.close();
    let segment = scene.dir().join("segment-00000001.log");
    let mut bytes = fs::read(&segment).unwrap();
    let needle = scene::id(5);
    let at = bytes.windows(32).position(|window| window == needle.as_bytes()).unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let mut index = Index::open(&scene.dir(), &beside(&scene.dir())).unwrap();
    let refreshed = index.refresh(&mut |_, _| {}).unwrap();
    assert_eq!(refreshed.added, 6, "the beginning and requests 0 to 4");
    let damage = refreshed.damage.unwrap();
    assert_eq!((damage.file.as_str(), damage.record), ("segment-00000001.log", 6));
    let again = index.refresh(&mut |_, _| {}).unwrap().damage.unwrap();
    assert_eq!(again, damage);
}

#[test]
fn only_its_owner_may_read_the_index() {
    let mut scene = Scene::new();
    scene.close();
    scene.index();
    let mode = fs::metadata(beside(&scene.dir())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_folder_without_a_log_gets_no_index() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("other");
    fs::create_dir(&dir).unwrap();
    assert!(matches!(Index::open(&dir, &beside(&dir)).err(), Some(ReviewError::Audit(_))));
    assert!(!beside(&dir).exists());
}

#[test]
fn an_index_never_lies_in_the_log() {
    let mut scene = Scene::new();
    scene.close();
    let refused = Index::open(&scene.dir(), &scene.dir().join("index.sqlite"));
    assert!(matches!(refused.err(), Some(ReviewError::InsideLog(_))));
    assert!(!scene.dir().join("index.sqlite").exists());
}

#[test]
fn a_file_of_somebody_else_is_not_touched() {
    let mut scene = Scene::new();
    scene.close();
    let path = scene.place.path().join("other");
    for content in
        [b"not a database at all, but longer than a header".repeat(9), foreign_database()]
    {
        fs::write(&path, &content).unwrap();
        let refused = Index::open(&scene.dir(), &path).err();
        assert!(matches!(refused, Some(ReviewError::Foreign(_))), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

fn foreign_database() -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    fs::read(path).unwrap()
}

#[test]
fn pages_go_on_where_the_one_before_ended() {
    let mut scene = Scene::new();
    for i in 0..25 {
        scene.append(&allowed(i, if i % 2 == 0 { "even" } else { "odd" }, "m"));
    }
    scene.close();
    let index = scene.index();
    let filter = Filter { subject: Some("even".to_owned()), ..Filter::default() };
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let (mut seen, mut behind) = (Vec::new(), None);
        // One more than there are pages.
        for _ in 0..5 {
            let page = index.requests(&filter, &Page { order, behind, limit: 4 }).unwrap();
            let Some(last) = page.last() else { break };
            behind = Some(last.n);
            seen.extend(page.iter().map(|request| request.n));
        }
        assert_eq!(seen.len(), 13);
        let sorted = match order {
            Order::OldestFirst => seen.is_sorted(),
            Order::NewestFirst => seen.iter().rev().is_sorted(),
        };
        assert!(sorted, "{seen:?}");
    }
}

#[test]
fn each_part_of_a_filter_counts() {
    let mut scene = Scene::new();
    scene.append(&allowed(1, "dr-house", "tumour"));
    scene.append(&outcome(1, "ok", 200, 3));
    scene.at(MIDNIGHT_US + HOUR_US);
    scene.append(&denied(2, "dr-wilson", "churn", "other_tenant"));
    scene.close();
    let index = scene.index();
    let text = |text: &str| Some(text.to_owned());
    let any = Filter::default();
    let first = [
        Filter { subject: text("dr-house"), ..any.clone() },
        Filter { model: text("tumour"), ..any.clone() },
        Filter { rule: text("clinicians-infer"), ..any.clone() },
        Filter { verdict: Some(Verdict::Allow), ..any.clone() },
        Filter { code: text("ok"), ..any.clone() },
        Filter { status: Some(200), ..any.clone() },
        Filter { request_id: text(&scene::id(1)), ..any.clone() },
        Filter { until_us: Some(MIDNIGHT_US + 1), ..any.clone() },
        Filter { search: text("dr-h"), ..any.clone() },
        Filter { search: text("tum"), ..any.clone() },
        Filter { search: text(&scene::id(1)), ..any.clone() },
    ];
    for filter in &first {
        let found = index.requests(filter, &Page::default()).unwrap();
        let subjects: Vec<_> = found.iter().map(|r| r.caller.subject.as_str()).collect();
        assert_eq!(subjects, ["dr-house"], "{filter:?}");
    }
    let second = Filter { since_us: Some(MIDNIGHT_US + HOUR_US), ..any.clone() };
    assert_eq!(index.requests(&second, &Page::default()).unwrap().len(), 1);
    let both = [
        Filter { tenant: text("north"), ..any.clone() },
        Filter { client_id: text("app"), ..any.clone() },
        Filter { issuer: text("https://issuer.example"), ..any.clone() },
        Filter { action: text("infer"), ..any.clone() },
        Filter { search: text("dr-"), ..any.clone() },
        Filter { search: text("0000"), ..any.clone() },
    ];
    for filter in &both {
        assert_eq!(index.requests(filter, &Page::default()).unwrap().len(), 2, "{filter:?}");
    }
    let none = Filter { subject: text("dr-"), ..any };
    assert!(index.requests(&none, &Page::default()).unwrap().is_empty());
}

#[test]
fn a_story_is_every_record_of_a_request_in_the_order_of_the_log() {
    let mut scene = Scene::new();
    scene.append(&differed(1));
    scene.append(&allowed(1, "s", "m"));
    scene.append(&allowed(2, "s", "m"));
    scene.append(&outcome(1, "ok", 200, 3));
    scene.close();
    let story = scene.index().story(&scene::id(1)).unwrap();
    let numbers: Vec<_> = story.parts.iter().map(|part| part.record.n).collect();
    assert_eq!(numbers, [1, 2, 4]);
    assert!(
        matches!(&story.parts[1].record.event, Event::Decision(d) if **d == decision(1, "s", "m"))
    );
}

#[test]
fn a_story_is_never_told_from_an_index_that_does_not_fit_the_log() {
    let mut scene = Scene::new();
    scene.append(&allowed(1, "s", "m"));
    scene.append(&outcome(1, "ok", 200, 3));
    scene.close();
    let mut index = scene.index();
    let connection = Connection::open(beside(&scene.dir())).unwrap();
    let id = scene::id(1);
    // Another record of the same request, a record of no request, no record at all, no file.
    for change in ["at = outcome_at", "n = 0, at = 512", "at = 1000000000", "file = 4711"] {
        connection.execute(&format!("UPDATE requests SET {change}"), []).unwrap();
        assert!(index.story(&id).is_err(), "{change}");
        index.rebuild(&mut |_, _| {}).unwrap();
    }
    assert!(index.story(&id).is_ok());
}

#[test]
fn a_request_names_the_file_that_was_to_answer_until_the_outcome_names_the_one_that_did() {
    let mut scene = Scene::new();
    let to_answer = Some("44".repeat(32).into());
    for i in 0..2 {
        let model_digest = to_answer.clone();
        let decision = sealgate_audit::Decision { model_digest, ..decision(i, "dr-a", "m") };
        scene.append(&Event::Decision(Box::new(decision)));
    }
    scene.append(&outcome(1, "ok", 200, 3));
    scene.close();
    let requests = scene.index().requests(&Filter::default(), &Page::default()).unwrap();
    let digests: Vec<_> = requests.into_iter().map(|request| request.model_digest).collect();
    assert_eq!(digests, [Some("33".repeat(32)), Some("44".repeat(32))]);
}

#[test]
fn a_request_that_is_not_on_record_has_no_story() {
    let mut scene = Scene::new();
    scene.close();
    assert!(matches!(scene.index().story("00"), Err(ReviewError::NoRequest(_))));
}

#[test]
fn policies_count_from_when_they_came_into_force_and_not_from_each_restart() {
    let mut scene = Scene::new();
    for policy in ["1", "1", "2", "1"] {
        scene.append(&started(policy));
    }
    scene.close();
    let versions = scene.index().policy_versions(10).unwrap();
    let digests: Vec<_> = versions.iter().map(|version| version.digest.as_str()).collect();
    assert_eq!(digests, ["1", "2", "1"]);
}

#[test]
fn refusals_of_unknown_callers_are_counted_by_reason() {
    let mut scene = Scene::new();
    let second = MIDNIGHT_US / 1_000_000;
    scene.append(&refused("token_missing", second, 3));
    scene.append(&refused("token_expired", second, 9));
    scene.append(&refused("token_missing", second + 1, 4));
    scene.close();
    let index = scene.index();
    let all = index.refusals(&Filter::default()).unwrap();
    let all: Vec<_> = all.iter().map(|r| (r.reason.as_str(), r.count)).collect();
    assert_eq!(all, [("token_expired", 9), ("token_missing", 7)]);
    let until: Moment = "2026-11-18T00:00:01Z".parse().unwrap();
    let first = Filter { until_us: Some(until.us(0)), ..Filter::default() };
    let first: u64 = index.refusals(&first).unwrap().iter().map(|r| r.count).sum();
    assert_eq!(first, 12);
}
