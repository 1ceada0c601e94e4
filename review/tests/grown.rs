//! Whatever happens in whatever order: an index that grew is the one made anew, and totals are what
//! counting gives.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod scene;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;
use scene::{
    HOUR_US, MIDNIGHT_US, RESERVED, Scene, allowed, charged, denied, differed, outcome, refused,
    started, used,
};
use sealgate_audit::{AdminOrder, Event, Record, Verdict};
use sealgate_review::{Dimension, Filter, Index, Total, beside};

const TABLES: [&str; 12] = [
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
    "used",
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
    Charge { subject: u8, model: u8 },
    Use { which: u8, charge: u64 },
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
        2 => (0..4_u8, 0..3_u8).prop_map(|(subject, model)| Step::Charge { subject, model }),
        2 => (any::<u8>(), 0..RESERVED).prop_map(|(which, charge)| Step::Use { which, charge }),
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
            Step::Charge { subject, model } => {
                scene.append(&charged(requests, &format!("s{subject}"), &format!("m{model}")));
                requests += 1;
            }
            Step::Use { which, charge } => scene.append(&used(some(which), 7, *charge)),
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
