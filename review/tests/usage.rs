//! What was used, and how long workers were there, is what the log says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod scene;

use scene::{HOUR_US, MIDNIGHT_US, RESERVED, Scene, charged, id, started, used};
use sealgate_audit::{Event, Texts, WorkerEnded, WorkerStarted};
use sealgate_review::{Filter, Index, UsageBy, Used, WorkerTime, beside};

fn sum(index: &Index, filter: &Filter) -> Used {
    index.used(filter, &[]).unwrap().pop().unwrap()
}

#[test]
fn sums_are_exact_and_what_has_no_outcome_costs_what_was_reserved() {
    let mut scene = Scene::new();
    for i in 0..2_000 {
        scene.append(&charged(i, "dr-house", "tumour"));
        scene.append(&used(i, 100, 8_999_999_999_999_999));
    }
    scene.append(&charged(2_000, "dr-wilson", "churn"));
    scene.close();
    let index = scene.index();
    // Together far more than 64 bits hold.
    let all = sum(&index, &Filter::default());
    assert_eq!(all.picos, 2_000 * 8_999_999_999_999_999 + u128::from(RESERVED));
    assert_eq!((all.requests, all.rows, all.busy_us), (2_000, 6_000, 200_000));
    assert_eq!((all.mb_us, all.bytes_in, all.bytes_out), (25_600_000, 8_192_000, 512_000));
    let by = index.used(&Filter::default(), &[UsageBy::Caller, UsageBy::Model]).unwrap();
    let keys: Vec<_> = by.iter().map(|used| used.key.join(" ")).collect();
    assert_eq!(keys, ["dr-house tumour", "dr-wilson churn"]);
    assert_eq!((by[1].picos, by[1].requests), (RESERVED.into(), 0));
    let one = Filter { subject: Some("dr-wilson".to_owned()), ..Filter::default() };
    assert_eq!(sum(&index, &one).picos, RESERVED.into());
}

#[test]
fn an_outcome_that_comes_with_a_later_refresh_takes_the_place_of_what_was_reserved() {
    let mut scene = Scene::new();
    scene.append(&charged(1, "s", "m"));
    scene.close();
    let mut index = scene.index();
    assert_eq!(sum(&index, &Filter::default()).picos, RESERVED.into());
    scene.open();
    scene.append(&used(1, 5, 17));
    scene.close();
    index.refresh(&mut |_, _| {}).unwrap();
    assert_eq!(sum(&index, &Filter::default()).picos, 17);
    let mut anew = Index::open(&scene.dir(), &beside(&scene.dir())).unwrap();
    anew.rebuild(&mut |_, _| {}).unwrap();
    assert_eq!(sum(&anew, &Filter::default()), sum(&index, &Filter::default()));
}

#[test]
fn usage_is_told_by_hours_and_days_and_within_the_hours_that_are_meant() {
    let mut scene = Scene::new();
    for (i, hour) in [(1, 0), (2, 1), (3, 25)] {
        scene.at(MIDNIGHT_US + hour * HOUR_US + 7);
        scene.append(&charged(i, "s", "m"));
        scene.append(&used(i, 1, 1));
    }
    scene.close();
    let index = scene.index();
    let keys = |by| -> Vec<String> {
        let used = index.used(&Filter::default(), &[by]).unwrap();
        used.into_iter().map(|mut used| used.key.pop().unwrap()).collect()
    };
    assert_eq!(keys(UsageBy::Day), ["2026-11-18", "2026-11-19"]);
    assert_eq!(keys(UsageBy::Hour)[2], "2026-11-19T01:00Z");
    let within = Filter {
        since_us: Some(MIDNIGHT_US + HOUR_US),
        until_us: Some(MIDNIGHT_US + 2 * HOUR_US),
        ..Filter::default()
    };
    assert_eq!(sum(&index, &within).picos, 1);
}

#[test]
fn workers_are_there_until_their_end_or_that_of_their_gateway() {
    let mut scene = Scene::new();
    let at = |scene: &Scene, minutes: u64| scene.at(MIDNIGHT_US + minutes * 60_000_000);
    scene.append(&started("11"));
    scene.append(&worker("a", "tumour"));
    at(&scene, 10);
    scene.append(&worker("b", "tumour"));
    scene.append(&worker("c", "churn"));
    at(&scene, 15);
    scene.append(&ended("a", "tumour"));
    at(&scene, 20);
    // The gateway is killed after this, and started anew much later.
    scene.append(&charged(1, "s", "m"));
    at(&scene, 500);
    scene.append(&started("11"));
    scene.append(&worker("d", "churn"));
    at(&scene, 501);
    scene.append(&used(1, 1, 1));
    scene.append(&charged(2, "s", "m"));
    scene.close();
    let index = scene.index();
    let minute = 60_000_000;
    let time = |model: &str, workers, minutes| WorkerTime {
        model: model.to_owned(),
        workers,
        alive_us: minutes * minute,
    };
    let times = index.worker_times(0, u64::MAX).unwrap();
    assert_eq!(times, [time("churn", 2, 10 + 1), time("tumour", 2, 15 + 10)]);
    let times = index.worker_times(MIDNIGHT_US + 12 * minute, MIDNIGHT_US + 14 * minute).unwrap();
    assert_eq!(times, [time("churn", 1, 2), time("tumour", 2, 4)]);
}

fn worker(keyset: &str, model: &str) -> Event {
    Event::WorkerStarted(WorkerStarted {
        address: None,
        engine: "flex".into(),
        evidence: "none".into(),
        keyset_digest: keyset.into(),
        model: model.into(),
        model_digest: id(1).into(),
        pid: 7,
        sandbox: Texts::default(),
    })
}

fn ended(keyset: &str, model: &str) -> Event {
    Event::WorkerEnded(WorkerEnded {
        address: None,
        keyset_digest: keyset.into(),
        model: model.into(),
        pid: 7,
        why: "exited".into(),
    })
}
