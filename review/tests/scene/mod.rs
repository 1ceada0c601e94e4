//! Logs made here, through the log that a gateway writes.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a test may panic")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sealgate_audit::{
    Caller, CandidateDiffered, Charge, CheckpointKey, Decision, Event, Inputs, Log, Mode, Options,
    Origin, Outcome, Record, Refused, Started, Texts, Usage, Verdict, records,
};
use sealgate_review::{Index, beside};
use tempfile::TempDir;

/// 2026-11-18T00:00:00Z.
pub const MIDNIGHT_US: u64 = 1_794_960_000_000_000;
pub const HOUR_US: u64 = 3_600_000_000;

/// A log that is being written, and a clock that is set by hand.
pub struct Scene {
    pub place: TempDir,
    clock: Arc<AtomicU64>,
    log: Option<Log>,
}

impl Scene {
    pub fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicU64::new(MIDNIGHT_US));
        let mut scene = Self { place, clock, log: None };
        scene.open();
        scene
    }

    /// Goes on with a log that was closed.
    pub fn open(&mut self) {
        let options = Options {
            segment_bytes: 32 * 1024,
            low_water_bytes: 0,
            ..Options::new(self.dir(), Origin::new("test.example/audit").unwrap())
        };
        let key = CheckpointKey::load_or_create(&self.place.path().join("key")).unwrap();
        let clock = Arc::clone(&self.clock);
        let now = Arc::new(move || clock.load(Ordering::Relaxed));
        self.log = Some(Log::open(options, key, now).unwrap().0);
    }

    pub fn dir(&self) -> PathBuf {
        self.place.path().join("audit")
    }

    pub fn at(&self, us: u64) {
        self.clock.store(us, Ordering::Relaxed);
    }

    /// Writes one record; it is there when the log is closed.
    pub fn append(&self, event: &Event) {
        self.log.as_ref().unwrap().append_quietly(event, |written| {
            written.unwrap();
        });
    }

    /// Writes what waits.
    pub fn close(&mut self) {
        self.log.take().unwrap().close().unwrap();
    }

    pub fn records(&self) -> Vec<Record> {
        records(&self.dir()).unwrap().map(|entry| entry.unwrap().record().unwrap()).collect()
    }

    /// Its index, with all that the log has.
    pub fn index(&self) -> Index {
        let mut index = Index::open(&self.dir(), &beside(&self.dir())).unwrap();
        index.refresh(&mut |_, _| {}).unwrap();
        index
    }
}

/// Request id number `i`, as a gateway writes it.
pub fn id(i: u64) -> String {
    format!("{i:032x}")
}

pub fn decision(i: u64, subject: &str, model: &str) -> Decision {
    Decision {
        action: "infer".into(),
        address: "192.0.2.0/24".into(),
        caller: Caller {
            client_id: Some("app".into()),
            issuer: "https://issuer.example".into(),
            subject: subject.into(),
            tenant: "north".into(),
            token_id: None,
        },
        budget: None,
        candidate_digest: None,
        charge: None,
        code: "allowed".into(),
        inputs: Inputs {
            clearance: None,
            groups: ["clinicians"].into_iter().collect(),
            scopes: ["infer"].into_iter().collect(),
            token_age_s: 12,
        },
        limit_profile: "standard".into(),
        mode: Mode::GatewaySealed,
        model: model.into(),
        model_digest: None,
        model_version: None,
        policy_digest: "11".repeat(32).into(),
        protocol: "v2".into(),
        release_profile: "full".into(),
        request_id: id(i).into(),
        rows_reserved: 4,
        rules: ["clinicians-infer"].into_iter().collect(),
        verdict: Verdict::Allow,
    }
}

pub fn allowed(i: u64, subject: &str, model: &str) -> Event {
    Event::Decision(Box::new(decision(i, subject, model)))
}

pub fn denied(i: u64, subject: &str, model: &str, code: &str) -> Event {
    Event::Decision(Box::new(Decision {
        code: code.into(),
        rules: Texts::default(),
        verdict: Verdict::Deny,
        ..decision(i, subject, model)
    }))
}

pub fn outcome(i: u64, code: &str, status: u16, rows: u32) -> Event {
    Event::Outcome(Box::new(Outcome {
        code: code.into(),
        keyset_digest: Some("22".repeat(32).into()),
        length_class: "4096".into(),
        model_digest: Some("33".repeat(32).into()),
        receipt_digest: Some("55".repeat(32).into()),
        request_id: id(i).into(),
        rows,
        stages_us: [("hop".into(), 31), ("total".into(), 400)].into(),
        status,
        usage: None,
    }))
}

/// What is reserved for a request that is charged: nearly as much as a record holds.
pub const RESERVED: u64 = 9_000_000_000_000_000;

pub fn charged(i: u64, subject: &str, model: &str) -> Event {
    let charge = Some(Charge { day: 20_775, reserved: RESERVED });
    Event::Decision(Box::new(Decision { charge, ..decision(i, subject, model) }))
}

/// The outcome of one that is charged, of three rows.
pub fn used(i: u64, busy_us: u32, charge: u64) -> Event {
    let Event::Outcome(outcome) = outcome(i, "ok", 200, 3) else { unreachable!() };
    let usage =
        Usage { busy_us, bytes_in: 4096, bytes_out: 256, charge: Some(charge), memory_mb: 128 };
    Event::Outcome(Box::new(Outcome { usage: Some(usage), ..*outcome }))
}

pub fn differed(i: u64) -> Event {
    Event::CandidateDiffered(CandidateDiffered {
        candidate_digest: "66".into(),
        code: "other_tenant".into(),
        limit_profile: "standard".into(),
        release_profile: "label".into(),
        request_id: id(i).into(),
        rules: ["tenants-stay-apart"].into_iter().collect(),
        verdict: Verdict::Deny,
    })
}

pub fn refused(reason: &str, second: u64, count: u32) -> Event {
    Event::Refused(Refused { count, reason: reason.into(), second })
}

pub fn started(policy: &str) -> Event {
    Event::Started(Started {
        config: [("listen".into(), "127.0.0.1:8443".into())].into(),
        policy_digest: policy.into(),
        version: "0.1.0".into(),
    })
}
