//! What can happen, as typed records.
//!
//! Fields stand in the order RFC 8785 asks for, so that serialising them as they are declared is
//! canonical; a test holds them to it. Numbers are integers below 2^53, and there are no floats.

mod cost;
mod life;
mod request;

pub use cost::{BudgetSet, BudgetWarned, Charge, PricesSet, Usage};
pub use life::{
    AdminOrder, Adopted, CertificateLoaded, CertificateRefused, IssuerKeysChanged,
    IssuerKeysNotRenewed, KeyRotated, KeysOffered, LogStarted, PolicyLoaded, PolicyRefused,
    PreviousLog, Recovered, SegmentsDropped, Started, Stopped, VersionRefused, VersionServed,
    VersionWithdrawn, WorkerEnded, WorkerRefused, WorkerStarted,
};
pub use request::{
    Caller, CandidateDiffered, Decision, Inputs, Mode, Outcome, Refused, Retried, Verdict,
};

use serde::Deserialize;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", content = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first record of every log.
    LogStarted(LogStarted),
    /// A gateway began to serve.
    Started(Started),
    /// A gateway stopped in good order.
    Stopped(Stopped),
    /// Another key signs the log from here on.
    KeyRotated(KeyRotated),
    /// The oldest segments are dropped.
    SegmentsDropped(SegmentsDropped),
    /// A torn tail was cut after a crash.
    Recovered(Recovered),
    /// Records that nobody had signed were taken over at a start.
    Adopted(Adopted),
    /// A set of policies came into force.
    PolicyLoaded(PolicyLoaded),
    /// A set of policies was read and did not come into force.
    PolicyRefused(PolicyRefused),
    /// Other keys of an issuer count.
    IssuerKeysChanged(IssuerKeysChanged),
    /// An issuer's keys could not be fetched.
    IssuerKeysNotRenewed(IssuerKeysNotRenewed),
    /// TLS handshakes show another certificate.
    CertificateLoaded(CertificateLoaded),
    /// A certificate was read and is not shown.
    CertificateRefused(CertificateRefused),
    /// An admin gave an order.
    AdminOrder(AdminOrder),
    /// A worker was judged and taken into service.
    WorkerStarted(WorkerStarted),
    /// A worker or its keys were judged and refused.
    WorkerRefused(WorkerRefused),
    /// A worker's keys were offered to clients.
    KeysOffered(KeysOffered),
    /// A worker left service.
    WorkerEnded(WorkerEnded),
    /// A version of a model was put in service.
    VersionServed(VersionServed),
    /// A version of a model was taken out of service.
    VersionWithdrawn(VersionWithdrawn),
    /// A file was not put in service as a version.
    VersionRefused(VersionRefused),
    /// Prices and budgets are in force.
    PricesSet(PricesSet),
    /// So much of a budget is spent.
    BudgetWarned(BudgetWarned),
    /// A caller's request was allowed or denied.
    Decision(Box<Decision>),
    /// The candidate policies would have decided otherwise.
    CandidateDiffered(CandidateDiffered),
    /// A request that no worker had begun with was sealed anew.
    Retried(Retried),
    /// What became of an allowed request.
    Outcome(Box<Outcome>),
    /// Requests refused before anyone was authenticated, counted.
    Refused(Refused),
}

impl Event {
    /// Its type, as records name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::LogStarted(_) => LOG_STARTED,
            Self::Started(_) => STARTED,
            Self::Stopped(_) => "stopped",
            Self::KeyRotated(_) => KEY_ROTATED,
            Self::SegmentsDropped(_) => SEGMENTS_DROPPED,
            Self::Recovered(_) => "recovered",
            Self::Adopted(_) => ADOPTED,
            Self::PolicyLoaded(_) => "policy_loaded",
            Self::PolicyRefused(_) => "policy_refused",
            Self::IssuerKeysChanged(_) => "issuer_keys_changed",
            Self::IssuerKeysNotRenewed(_) => "issuer_keys_not_renewed",
            Self::CertificateLoaded(_) => "certificate_loaded",
            Self::CertificateRefused(_) => "certificate_refused",
            Self::AdminOrder(_) => "admin_order",
            Self::WorkerStarted(_) => "worker_started",
            Self::WorkerRefused(_) => "worker_refused",
            Self::KeysOffered(_) => "keys_offered",
            Self::WorkerEnded(_) => "worker_ended",
            Self::VersionServed(_) => "version_served",
            Self::VersionWithdrawn(_) => "version_withdrawn",
            Self::VersionRefused(_) => "version_refused",
            Self::PricesSet(_) => "prices_set",
            Self::BudgetWarned(_) => "budget_warned",
            Self::Decision(_) => DECISION,
            Self::CandidateDiffered(_) => "candidate_differed",
            Self::Retried(_) => "retried",
            Self::Outcome(_) => OUTCOME,
            Self::Refused(_) => "refused",
        }
    }

    /// Writes the event's own fields as canonical JSON.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            Self::LogStarted(event) => serde_json::to_writer(out, event),
            Self::Started(event) => serde_json::to_writer(out, event),
            Self::Stopped(event) => serde_json::to_writer(out, event),
            Self::KeyRotated(event) => serde_json::to_writer(out, event),
            Self::SegmentsDropped(event) => serde_json::to_writer(out, event),
            Self::Recovered(event) => serde_json::to_writer(out, event),
            Self::Adopted(event) => serde_json::to_writer(out, event),
            Self::PolicyLoaded(event) => serde_json::to_writer(out, event),
            Self::PolicyRefused(event) => serde_json::to_writer(out, event),
            Self::IssuerKeysChanged(event) => serde_json::to_writer(out, event),
            Self::IssuerKeysNotRenewed(event) => serde_json::to_writer(out, event),
            Self::CertificateLoaded(event) => serde_json::to_writer(out, event),
            Self::CertificateRefused(event) => serde_json::to_writer(out, event),
            Self::AdminOrder(event) => serde_json::to_writer(out, event),
            Self::WorkerStarted(event) => serde_json::to_writer(out, event),
            Self::WorkerRefused(event) => serde_json::to_writer(out, event),
            Self::KeysOffered(event) => serde_json::to_writer(out, event),
            Self::WorkerEnded(event) => serde_json::to_writer(out, event),
            Self::VersionServed(event) => serde_json::to_writer(out, event),
            Self::VersionWithdrawn(event) => serde_json::to_writer(out, event),
            Self::VersionRefused(event) => serde_json::to_writer(out, event),
            Self::PricesSet(event) => serde_json::to_writer(out, event),
            Self::BudgetWarned(event) => serde_json::to_writer(out, event),
            Self::Decision(event) => serde_json::to_writer(out, event),
            Self::CandidateDiffered(event) => serde_json::to_writer(out, event),
            Self::Retried(event) => serde_json::to_writer(out, event),
            Self::Outcome(event) => serde_json::to_writer(out, event),
            Self::Refused(event) => serde_json::to_writer(out, event),
        }
    }
}

/// The types that a verifier looks into.
pub(crate) const LOG_STARTED: &str = "log_started";
pub(crate) const STARTED: &str = "started";
pub(crate) const KEY_ROTATED: &str = "key_rotated";
pub(crate) const SEGMENTS_DROPPED: &str = "segments_dropped";
pub(crate) const ADOPTED: &str = "adopted";
pub(crate) const DECISION: &str = "decision";
pub(crate) const OUTCOME: &str = "outcome";

#[cfg(test)]
pub(crate) mod samples {
    //! One event of each type, with every field set and strings that need escaping.

    use super::*;
    use crate::text::Text;

    pub(crate) fn all() -> Vec<Event> {
        let odd: Text = "é\u{1f600} \"quoted\" \\ \u{8}\t\n\u{1}\u{7f}/".into();
        let facts = [("listen", "127.0.0.1:8443"), ("a", "b")];
        vec![
            Event::LogStarted(LogStarted {
                format: 1,
                key: "origin+0+AA".into(),
                origin: "origin".into(),
                previous: Some(PreviousLog {
                    key: "origin+0+AA".into(),
                    root: "77".into(),
                    size: 12,
                }),
            }),
            Event::KeyRotated(KeyRotated {
                key: "origin+1+AB".into(),
                previous_key: "origin+0+AA".into(),
            }),
            Event::SegmentsDropped(SegmentsDropped {
                first_record: 1000,
                first_segment: 3,
                why: "age".into(),
            }),
            Event::Started(Started {
                config: facts.map(|(k, v)| (k.into(), v.into())).into(),
                policy_digest: "00".into(),
                version: "0.1.0".into(),
            }),
            Event::Stopped(Stopped { why: odd.clone() }),
            Event::Recovered(Recovered {
                cut_bytes: 9,
                file: "segment-00000001.log".into(),
                offset: 512,
            }),
            Event::Adopted(Adopted { first_record: 7, records: 2, root: "77".into() }),
            Event::PolicyLoaded(PolicyLoaded {
                candidate_digest: Some("12".into()),
                policy_digest: "11".into(),
                previous_digest: "10".into(),
                why: "changed".into(),
            }),
            Event::PolicyRefused(PolicyRefused {
                first: odd.clone(),
                mistakes: 2,
                policy_digest: "11".into(),
                why: "sighup".into(),
            }),
            Event::IssuerKeysChanged(IssuerKeysChanged {
                issuer: "https://issuer.example".into(),
                jwks_digest: Some("78".into()),
                kids: ["key-1", "key-2"].into_iter().collect(),
                previous_digest: Some("77".into()),
                why: "fetched".into(),
            }),
            Event::IssuerKeysNotRenewed(IssuerKeysNotRenewed {
                issuer: odd.clone(),
                why: "unreachable".into(),
            }),
            Event::CertificateLoaded(CertificateLoaded {
                certificate_digest: "79".into(),
                not_after_s: 1_795_000_900,
                previous_digest: "78".into(),
                why: "changed".into(),
            }),
            Event::CertificateRefused(CertificateRefused {
                certificate_digest: "79".into(),
                mistake: odd.clone(),
                why: "sighup".into(),
            }),
            Event::AdminOrder(AdminOrder {
                about: odd.clone(),
                order: "revoke".into(),
                request_id: "0123456789abcdef0123456789abcdef".into(),
            }),
            Event::WorkerStarted(WorkerStarted {
                address: Some("10.0.0.5:7443".into()),
                engine: "flex".into(),
                evidence: "none".into(),
                keyset_digest: "22".into(),
                model: "breast-cancer".into(),
                model_digest: "33".into(),
                pid: 7,
                sandbox: ["seccomp", "landlock"].into_iter().collect(),
            }),
            Event::KeysOffered(KeysOffered {
                evidence: "software".into(),
                key_ids: vec![0, 255],
                keyset_digest: "22".into(),
                model: "breast-cancer".into(),
                not_after_s: 1_795_000_900,
                worker: Some("21".into()),
            }),
            Event::WorkerRefused(WorkerRefused {
                count: 3,
                model: odd.clone(),
                model_digest: "33".into(),
                what: "start".into(),
                why: odd.clone(),
            }),
            Event::WorkerEnded(WorkerEnded {
                address: Some("10.0.0.5:7443".into()),
                keyset_digest: "22".into(),
                model: "breast-cancer".into(),
                pid: 7,
                why: "exited".into(),
            }),
            Event::VersionServed(VersionServed {
                model: odd.clone(),
                model_digest: "88".into(),
                replaces: Some("99".into()),
                version: "2".into(),
            }),
            Event::VersionWithdrawn(VersionWithdrawn {
                model: odd.clone(),
                model_digest: "88".into(),
                version: "2".into(),
            }),
            Event::VersionRefused(VersionRefused {
                model: "m".into(),
                version: "3".into(),
                why: odd.clone(),
            }),
            Event::PricesSet(PricesSet {
                budgets: vec![BudgetSet {
                    amount: "250".into(),
                    name: "north-month".into(),
                    of: "tenant".into(),
                    per: "month".into(),
                    tenant: Some("north".into()),
                }],
                currency: "USD".into(),
                memory_mb: 128,
                memory_of: [("churn".into(), 256)].into(),
                per_gb_second: "0.0000166667".into(),
                per_request: "0.0000002".into(),
                per_row: "0".into(),
                policy_digest: "11".into(),
            }),
            Event::BudgetWarned(BudgetWarned {
                amount: "1".into(),
                budget: "a-caller-a-day".into(),
                currency: "USD".into(),
                day: 20_781,
                issuer: Some("https://issuer.example".into()),
                per: "day".into(),
                percent: 80,
                spent: "0.8".into(),
                subject: Some(odd.clone()),
                tenant: "north".into(),
            }),
            Event::Decision(Box::new(decision(odd))),
            Event::CandidateDiffered(CandidateDiffered {
                candidate_digest: "66".into(),
                code: "other_tenant".into(),
                limit_profile: "standard".into(),
                release_profile: "label".into(),
                request_id: "0123456789abcdef0123456789abcdef".into(),
                rules: ["tenants-stay-apart"].into_iter().collect(),
                verdict: Verdict::Deny,
            }),
            Event::Retried(Retried {
                grant_valid_ms: 29_990,
                keyset_digest: Some("22".into()),
                request_id: "0123456789abcdef0123456789abcdef".into(),
                why: "busy".into(),
            }),
            Event::Outcome(Box::new(Outcome {
                code: "ok".into(),
                keyset_digest: Some("22".into()),
                length_class: "4k".into(),
                model_digest: Some("33".into()),
                receipt_digest: Some("55".into()),
                request_id: "0123456789abcdef0123456789abcdef".into(),
                rows: 1,
                stages_us: [("seal".into(), 2), ("hop".into(), 31)].into(),
                status: 200,
                usage: Some(Usage {
                    busy_us: 90,
                    bytes_in: 4096,
                    bytes_out: 1024,
                    charge: Some(387_500),
                    memory_mb: 128,
                }),
            })),
            Event::Refused(Refused {
                count: 3,
                reason: "token_missing".into(),
                second: 1_795_000_000,
            }),
        ]
    }

    pub(crate) fn decision(subject: Text) -> Decision {
        Decision {
            action: "infer".into(),
            address: "127.0.0.0/24".into(),
            budget: Some("north-month".into()),
            caller: Caller {
                client_id: Some("app".into()),
                issuer: "https://issuer.example".into(),
                subject,
                tenant: "north".into(),
                token_id: Some("t1".into()),
            },
            candidate_digest: Some("12".into()),
            charge: Some(Charge { day: 20_781, reserved: 21_000_000 }),
            code: "allowed".into(),
            inputs: Inputs {
                clearance: Some("high".into()),
                groups: ["clinicians"].into_iter().collect(),
                scopes: ["infer"].into_iter().collect(),
                token_age_s: 12,
            },
            limit_profile: "standard".into(),
            mode: Mode::GatewaySealed,
            model: "breast-cancer".into(),
            model_digest: Some("33".into()),
            model_version: Some("1".into()),
            policy_digest: "11".into(),
            protocol: "v2".into(),
            release_profile: "full".into(),
            request_id: "0123456789abcdef0123456789abcdef".into(),
            rows_reserved: 1,
            rules: ["clinicians-may-infer"].into_iter().collect(),
            verdict: Verdict::Allow,
        }
    }
}
