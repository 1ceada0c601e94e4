//! What a start reads: from the log, and from where a cache ends.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use sealgate_audit::{
    BudgetWarned, Caller, Charge, CheckpointKey, Decision, Event, Inputs, Log, Mode, Options,
    Origin, Outcome, Started, Texts, Usage, Verdict,
};
use sealgate_policies::BudgetOf;
use tempfile::TempDir;

use super::*;
use crate::limits::Period;

/// 2024-02-28T12:00:00Z
const NOON_S: u64 = 1_709_121_600;
const DAY: u32 = 19_781;

struct Scene {
    place: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.place.path().join("audit")
    }

    fn cache(&self) -> PathBuf {
        self.place.path().join("audit-cost.json")
    }

    /// Adds to the log.
    fn log(&self, events: &[Event]) {
        let key = CheckpointKey::load_or_create(&self.place.path().join("key")).unwrap();
        let origin = Origin::new("test.example/audit").unwrap();
        let options = Options {
            segment_bytes: 32 * 1024,
            low_water_bytes: 0,
            ..Options::new(self.dir(), origin)
        };
        let (log, _) = Log::open(options, key, Arc::new(|| NOON_S * 1_000_000)).unwrap();
        for event in events {
            log.append_and_wait(event).unwrap();
        }
        log.close().unwrap();
    }

    fn fold(&self, mut fold: Fold) -> Fold {
        fold.advance(&self.dir(), &namer(), NOON_S).unwrap();
        fold
    }
}

fn namer() -> Namer {
    Namer::new(&[9; 16])
}

fn id(n: u64) -> String {
    format!("{n:032x}")
}

fn decision(n: u64, subject: &str, reserved: u64) -> Event {
    Event::Decision(Box::new(Decision {
        action: "infer".into(),
        address: "127.0.0.0/24".into(),
        budget: None,
        caller: Caller {
            client_id: None,
            issuer: "i".into(),
            subject: subject.into(),
            tenant: "north".into(),
            token_id: None,
        },
        candidate_digest: None,
        charge: Some(Charge { day: DAY, reserved }),
        code: "allowed".into(),
        inputs: Inputs {
            clearance: None,
            groups: Texts::default(),
            scopes: Texts::default(),
            token_age_s: 0,
        },
        limit_profile: "clinic".into(),
        mode: Mode::GatewaySealed,
        model: "m".into(),
        model_digest: None,
        model_version: None,
        policy_digest: "00".into(),
        protocol: "v2".into(),
        release_profile: "full".into(),
        request_id: id(n).into(),
        rows_reserved: 1,
        rules: Texts::default(),
        verdict: Verdict::Allow,
    }))
}

fn outcome(n: u64, charge: u64) -> Event {
    Event::Outcome(Box::new(Outcome {
        code: "ok".into(),
        keyset_digest: None,
        length_class: "".into(),
        model_digest: None,
        receipt_digest: None,
        request_id: id(n).into(),
        rows: 1,
        stages_us: [].into(),
        status: 200,
        usage: Some(Usage {
            busy_us: 1,
            bytes_in: 1,
            bytes_out: 1,
            charge: Some(charge),
            memory_mb: 128,
        }),
    }))
}

fn started() -> Event {
    Event::Started(Started { config: [].into(), policy_digest: "00".into(), version: "0".into() })
}

fn warned(percent: u32) -> Event {
    Event::BudgetWarned(BudgetWarned {
        amount: "1".into(),
        budget: "a-month".into(),
        currency: "U".into(),
        day: DAY,
        issuer: None,
        per: "month".into(),
        percent,
        spent: "1".into(),
        subject: None,
        tenant: "north".into(),
    })
}

/// What the tenant has spent of the month, and who of the day.
fn spent(fold: &Fold, subject: &str) -> (u128, u128) {
    let payer = payer(&namer(), &"i".into(), &subject.into(), &"north".into());
    (
        fold.ledger.used(BudgetOf::Tenant, payer.tenant, Period::month(Day(DAY))),
        fold.ledger.used(BudgetOf::Caller, payer.caller, Period::day(Day(DAY))),
    )
}

fn fresh() -> Fold {
    Fold::new(1 << 10)
}

#[test]
fn a_start_counts_what_was_used_and_what_has_no_outcome_in_full() {
    let scene = Scene::new();
    scene.log(&[
        started(),
        decision(1, "ada", 100),
        decision(2, "bob", 100),
        outcome(1, 7),
        started(),
        // It comes too late to count: its gateway was killed.
        outcome(2, 1),
        decision(3, "ada", 50),
    ]);
    let fold = scene.fold(fresh());
    assert_eq!(spent(&fold, "ada"), (157, 57));
    assert_eq!(spent(&fold, "bob"), (157, 100));
}

#[test]
fn a_cache_and_what_came_since_count_the_same_as_the_whole_log() {
    let scene = Scene::new();
    let mut fold = fresh();
    let mut n = 0;
    for part in 0..5_u64 {
        let mut events = vec![warned(u32::try_from(80 + part).unwrap())];
        for _ in 0..20 {
            n += 1;
            events.push(decision(n, if n % 3 == 0 { "ada" } else { "bob" }, 100 + n));
            // What is open when a part ends has its outcome in the next.
            if n > 2 {
                events.push(outcome(n - 2, n % 90));
            }
        }
        scene.log(&events);
        fold = scene.fold(fold);
        cache::write(&scene.cache(), &[9; 16], &fold).unwrap();
        let (salt, read) = cache::read(&scene.cache(), 1 << 10).unwrap();
        assert_eq!(salt, [9; 16]);
        fold = read;
        let whole = scene.fold(fresh());
        for subject in ["ada", "bob"] {
            assert_eq!(spent(&fold, subject), spent(&whole, subject));
        }
        assert_eq!((fold.open.len(), &fold.at), (whole.open.len(), &whole.at));
    }
}

#[test]
fn where_cache_and_log_differ_the_log_counts() {
    let scene = Scene::new();
    scene.log(&[decision(1, "ada", 100)]);
    cache::write(&scene.cache(), &[9; 16], &scene.fold(fresh())).unwrap();
    fs::remove_dir_all(scene.dir()).unwrap();
    scene.log(&[decision(2, "ada", 3), decision(3, "ada", 4)]);
    let (_, stale) = cache::read(&scene.cache(), 1 << 10).unwrap();
    assert_eq!(spent(&stale, "ada"), (100, 100));
    assert_eq!(spent(&scene.fold(stale), "ada"), (7, 7));
}

#[test]
fn a_cache_that_is_cut_or_changed_counts_for_nothing_and_names_nobody() {
    let scene = Scene::new();
    scene.log(&[decision(1, "grace.hopper", 100)]);
    cache::write(&scene.cache(), &[9; 16], &scene.fold(fresh())).unwrap();
    let whole = fs::read(scene.cache()).unwrap();
    assert!(!whole.windows(6).any(|part| part == b"hopper"));
    assert!(cache::read(&scene.cache(), 8).is_some());
    for at in 0..whole.len() {
        fs::write(scene.cache(), &whole[..at]).unwrap();
        assert!(cache::read(&scene.cache(), 8).is_none(), "cut at {at}");
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(scene.cache(), changed).unwrap();
        assert!(cache::read(&scene.cache(), 8).is_none(), "changed at {at}");
    }
}
