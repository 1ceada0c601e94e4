//! An index is always what the log says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod scene;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use scene::{HOUR_US, MIDNIGHT_US, Scene, allowed, decision, denied, outcome, refused, started};
use sealgate_audit::{AdminOrder, CandidateDiffered, Event, Record, Verdict};
use sealgate_review::{Dimension, Filter, Index, Moment, Order, Page, ReviewError, Total, beside};

const TABLES: [&str; 11] = [
    "state",
    "texts",
    "callers",
    "rule_sets",
    "rule_members",
    "requests",
    "events",
    "refusals",
    "policy_versions",
    "by_hour",
    "by_day",
];

/// Every row of every table.
fn dump(path: &Path) -> BTreeMap<&'static str, Vec<Vec<Value>>> {
    let connection = Connection::open(path).unwrap();
    let rows = |table: &str| {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let order: Vec<_> = (1..=columns).map(|i| i.to_string()).collect();
        let sql = format!("SELECT * FROM {table} ORDER BY {}", order.join(", "));
        statement = connection.prepare(&sql).unwrap();
        let rows = statement
            .query_map([], |row| (0..columns).map(|i| row.get(i)).collect::<Result<Vec<_>, _>>());
        rows.unwrap().map(Result::unwrap).collect()
    };
    TABLES.into_iter().chain(["hours"]).map(|table| (table, rows(table))).collect()
}

/// One thing that may happen next.
#[derive(Clone, Debug)]
enum Step {
    Allow { subject: u8, model: u8 },
    Deny { subject: u8, code: u8 },
    Settle { which: u8, code: u8, rows: u32 },
    Refuse { reason: u8, count: u32 },
    Start { policy: u8 },
    Differ { which: u8 },
    Order { which: u8 },
    Clock { hours: u8 },
    Refresh,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, 0..3_u8).prop_map(|(subject, model)| Step::Allow { subject, model }),
        2 => (0..4_u8, 0..3_u8).prop_map(|(subject, code)| Step::Deny { subject, code }),
        4 => (any::<u8>(), 0..3_u8, 0..50_u32)
            .prop_map(|(which, code, rows)| Step::Settle { which, code, rows }),
        1 => (0..3_u8, 1..9_u32).prop_map(|(reason, count)| Step::Refuse { reason, count }),
        1 => (0..2_u8).prop_map(|policy| Step::Start { policy }),
        1 => any::<u8>().prop_map(|which| Step::Differ { which }),
        1 => any::<u8>().prop_map(|which| Step::Order { which }),
        1 => (0..60_u8).prop_map(|hours| Step::Clock { hours }),
        1 => Just(Step::Refresh),
    ]
}

/// Plays the steps, and refreshes the index where they say so.
fn play(scene: &mut Scene, steps: &[Step]) {
    let mut requests = 0;
    for step in steps {
        let some = |which: &u8| u64::from(*which) % (requests + 1);
        match step {
            Step::Allow { subject, model } => {
                scene.append(&allowed(requests, &format!("s{subject}"), &format!("m{model}")));
                requests += 1;
            }
            Step::Deny { subject, code } => {
                let (subject, code) = (format!("s{subject}"), format!("c{code}"));
                scene.append(&denied(requests, &subject, "m0", &code));
                requests += 1;
            }
            Step::Settle { which, code, rows } => {
                scene.append(&outcome(some(which), &format!("c{code}"), 200, *rows));
            }
            Step::Refuse { reason, count } => {
                scene.append(&refused(&format!("r{reason}"), MIDNIGHT_US / 1_000_000, *count));
            }
            Step::Start { policy } => scene.append(&started(&format!("{policy:064}"))),
            Step::Differ { which } => scene.append(&differed(some(which))),
            Step::Order { which } => scene.append(&Event::AdminOrder(AdminOrder {
                about: "sub s1".into(),
                order: "revoke".into(),
                request_id: scene::id(some(which)).into(),
            })),
            Step::Clock { hours } => scene.at(MIDNIGHT_US + u64::from(*hours) * HOUR_US + 7),
            Step::Refresh => {
                scene.close();
                scene.index();
                scene.open();
            }
        }
    }
    scene.close();
}

fn differed(i: u64) -> Event {
    Event::CandidateDiffered(CandidateDiffered {
        candidate_digest: "66".into(),
        code: "other_tenant".into(),
        limit_profile: "standard".into(),
        release_profile: "label".into(),
        request_id: scene::id(i).into(),
        rules: ["tenants-stay-apart"].into_iter().collect(),
        verdict: Verdict::Deny,
    })
}

/// Totals as anybody would count them, going through the records once.
fn naive(
    records: &[Record],
    since_us: u64,
    key: impl Fn(&Naive) -> Vec<String>,
) -> BTreeMap<Vec<String>, Total> {
    let mut requests: Vec<Naive> = Vec::new();
    for record in records {
        match &record.event {
            Event::Decision(decision) => requests.push(Naive {
                id: decision.request_id.to_string(),
                time_us: record.time_us,
                subject: decision.caller.subject.to_string(),
                model: decision.model.to_string(),
                code: decision.code.to_string(),
                rules: decision.rules.iter().map(ToString::to_string).collect(),
                denied: decision.verdict == Verdict::Deny,
                outcome: None,
            }),
            Event::Outcome(outcome) => {
                let open = requests.iter_mut().rev().find(|request| {
                    request.id == outcome.request_id.as_str()
                        && !request.denied
                        && request.outcome.is_none()
                });
                if let Some(request) = open {
                    request.code = outcome.code.to_string();
                    request.outcome = Some((outcome.rows, 400));
                }
            }
            _ => {}
        }
    }
    let mut totals = BTreeMap::new();
    for request in requests.iter().filter(|request| request.time_us >= since_us) {
        let key = key(request);
        let empty =
            Total { key: key.clone(), requests: 0, denied: 0, rows: 0, timed: 0, total_us: 0 };
        let total = totals.entry(key).or_insert(empty);
        total.requests += 1;
        total.denied += u64::from(request.denied);
        if let Some((rows, us)) = request.outcome {
            total.rows += u64::from(rows);
            total.timed += 1;
            total.total_us += us;
        }
    }
    totals
}

struct Naive {
    id: String,
    time_us: u64,
    subject: String,
    model: String,
    code: String,
    rules: Vec<String>,
    denied: bool,
    outcome: Option<(u32, u64)>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_index_that_grew_is_the_one_made_anew(steps in prop::collection::vec(step(), 1..120)) {
        let mut scene = Scene::new();
        play(&mut scene, &steps);
        scene.index();
        let grown = dump(&beside(&scene.dir()));
        let anew = scene.place.path().join("anew.sqlite");
        let mut index = Index::open(&scene.dir(), &anew).unwrap();
        index.rebuild(&mut |_, _| {}).unwrap();
        drop(index);
        prop_assert_eq!(grown, dump(&anew));
    }

    #[test]
    fn totals_are_what_counting_the_records_gives(
        steps in prop::collection::vec(step(), 1..120),
        // On the hour and off it: roll-ups and single requests must say the same.
        since_us in prop_oneof![Just(0), Just(MIDNIGHT_US + 3 * HOUR_US), Just(MIDNIGHT_US + 8)],
    ) {
        let mut scene = Scene::new();
        play(&mut scene, &steps);
        let (index, records) = (scene.index(), scene.records());
        let filter = Filter { since_us: Some(since_us), ..Filter::default() };
        let totals = |by: &[Dimension]| -> BTreeMap<_, _> {
            let totals = index.totals(&filter, by, 1_000).unwrap();
            totals.into_iter().map(|total| (total.key.clone(), total)).collect()
        };
        prop_assert_eq!(
            totals(&[Dimension::Model, Dimension::Code]),
            naive(&records, since_us, |r| vec![r.model.clone(), r.code.clone()])
        );
        prop_assert_eq!(
            totals(&[Dimension::Caller]),
            naive(&records, since_us, |r| vec![r.subject.clone()])
        );
        prop_assert_eq!(
            totals(&[Dimension::Rule]),
            naive(&records, since_us, |r| vec![r.rules.first().cloned().unwrap_or_default()])
        );
        prop_assert_eq!(
            totals(&[Dimension::Day]),
            naive(&records, since_us, |r| vec![sealgate_review::day(r.time_us)])
        );
    }
}

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
    assert_eq!(refreshed.damage.unwrap().file, "segment-00000001.log");
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
        loop {
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
    scene.close();
    let index = scene.index();
    let path = beside(&scene.dir());
    let connection = Connection::open(path).unwrap();
    connection.execute("UPDATE requests SET at = 512, n = 0", []).unwrap();
    assert!(matches!(index.story(&scene::id(1)), Err(ReviewError::Stale)));
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
