//! What a record says, in words. Texts in it are as the record has them: who shows them makes them
//! harmless first.

use sealgate_audit::{
    BudgetSet, BudgetWarned, CandidateDiffered, CertificateLoaded, CertificateRefused, Decision,
    Event, KeysOffered, LogStarted, Mode, Outcome, PolicyLoaded, PolicyRefused, PricesSet, Retried,
    Started, Text, Texts, Verdict, VersionServed, WorkerRefused, WorkerStarted,
};

use sealgate_policies::Money;

use crate::moment::instant;

/// A record in words: one line, and what else it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Words {
    /// What happened.
    pub title: String,
    /// The rest, each with its name.
    pub facts: Vec<(&'static str, String)>,
}

/// Says what happened.
#[must_use]
pub fn words(event: &Event) -> Words {
    match event {
        Event::LogStarted(event) => log_started(event),
        Event::KeyRotated(event) => Words::new("another key signs the log from here on")
            .with("key", &event.key)
            .with("before", &event.previous_key),
        Event::SegmentsDropped(event) => Words::new("the oldest records were dropped")
            .with("first record left", event.first_record)
            .with("first segment left", event.first_segment)
            .with("over the bound of", &event.why),
        Event::IssuerKeysChanged(event) => {
            Words::new(format!("the keys of the issuer {} changed", event.issuer))
                .with("keys", list(&event.kids))
                .with_some("digest", event.jwks_digest.as_ref())
                .with_some("before", event.previous_digest.as_ref())
                .with("why", &event.why)
        }
        Event::IssuerKeysNotRenewed(event) => {
            Words::new(format!("the keys of the issuer {} could not be fetched", event.issuer))
                .with("why", &event.why)
        }
        Event::Started(event) => started(event),
        Event::Stopped(event) => Words::new("the gateway stopped").with("why", &event.why),
        Event::Recovered(event) => Words::new("a torn end was cut off after a crash")
            .with("bytes", event.cut_bytes)
            .with("from", format_args!("{} at byte {}", event.file, event.offset)),
        Event::Adopted(event) => {
            let title = format!("{} records that nobody had signed were found", event.records);
            Words::new(title)
                .with("the first of them", event.first_record)
                .with("root with them", &event.root)
        }
        Event::PolicyLoaded(event) => policy_loaded(event),
        Event::PolicyRefused(event) => policy_refused(event),
        Event::CertificateLoaded(event) => certificate_loaded(event),
        Event::CertificateRefused(event) => certificate_refused(event),
        Event::AdminOrder(event) => Words::new(format!("an admin ordered {}", event.order))
            .with("about", &event.about)
            .with("request", &event.request_id),
        Event::WorkerStarted(event) => worker_started(event),
        Event::WorkerRefused(event) => worker_refused(event),
        Event::KeysOffered(event) => keys_offered(event),
        Event::WorkerEnded(event) => Words::new(format!("a worker for {} ended", event.model))
            .with("why", &event.why)
            .with("process", process(event.pid))
            .with_some("address", event.address.as_ref())
            .with("keyset digest", &event.keyset_digest),
        Event::VersionServed(event) => version_served(event),
        Event::VersionWithdrawn(event) => {
            Words::new(format!("version {} of {} left service", event.version, event.model))
                .with("model digest", &event.model_digest)
        }
        Event::VersionRefused(event) => Words::new(format!(
            "version {} of {} was refused, what was served before stays",
            event.version, event.model
        ))
        .with("why", &event.why),
        Event::PricesSet(event) => prices_set(event),
        Event::BudgetWarned(event) => budget_warned(event),
        Event::Decision(event) => decision(event),
        Event::CandidateDiffered(event) => differed(event),
        Event::Retried(event) => retried(event),
        Event::Outcome(event) => outcome(event),
        Event::Refused(event) => {
            Words::new(format!("{} unknown callers were refused", event.count))
                .with("reason", &event.reason)
                .with("second", instant(event.second.saturating_mul(1_000_000)))
        }
    }
}

fn prices_set(event: &PricesSet) -> Words {
    if event.currency.as_str().is_empty() {
        return Words::new("there are no prices any more");
    }
    let budgets: Vec<_> = event
        .budgets
        .iter()
        .map(|budget| {
            let tenant = budget.tenant.as_ref().map(Text::as_str).unwrap_or("each");
            let BudgetSet { amount, name, of, per, .. } = budget;
            format!("{name}: {amount} a {per} of each {of}, tenant {tenant}")
        })
        .collect();
    Words::new("prices and budgets are in force")
        .with("currency", &event.currency)
        .with("a request", &event.per_request)
        .with("a row", &event.per_row)
        .with("a GB-second", &event.per_gb_second)
        .with("MiB of a worker", event.memory_mb)
        .with("budgets", budgets.join("; "))
        .with("policy digest", &event.policy_digest)
}

fn budget_warned(event: &BudgetWarned) -> Words {
    let BudgetWarned { budget, percent, spent, amount, currency, per, .. } = event;
    Words::new(format!("{percent} % of the budget {budget} of a {per} are spent"))
        .with("spent", format_args!("{spent} of {amount} {currency}"))
        .with("tenant", &event.tenant)
        .with_some("issuer", event.issuer.as_ref())
        .with_some("caller", event.subject.as_ref())
}

fn log_started(event: &LogStarted) -> Words {
    let words = Words::new("the log began")
        .with("origin", &event.origin)
        .with("key", &event.key)
        .with("format", event.format);
    match &event.previous {
        None => words,
        Some(previous) => words
            .with("goes on from the log of", &previous.key)
            .with("its records", previous.size)
            .with("its root", &previous.root),
    }
}

fn started(event: &Started) -> Words {
    let mut words = Words::new("a gateway began to serve")
        .with("version", &event.version)
        .with("policy digest", &event.policy_digest);
    for (name, value) in &event.config {
        words = words.with("setting", format_args!("{name} = {value}"));
    }
    words
}

fn policy_loaded(event: &PolicyLoaded) -> Words {
    Words::new("new policies came into force")
        .with("policy digest", &event.policy_digest)
        .with("before", &event.previous_digest)
        .with_some("candidate digest", event.candidate_digest.as_ref())
        .with("why", &event.why)
}

fn policy_refused(event: &PolicyRefused) -> Words {
    Words::new("changed policies were refused, the last good ones stay in force")
        .with("mistakes", event.mistakes)
        .with("first mistake", &event.first)
        .with("policy digest", &event.policy_digest)
        .with("why", &event.why)
}

fn certificate_loaded(event: &CertificateLoaded) -> Words {
    Words::new("connections are met with another certificate")
        .with("certificate", &event.certificate_digest)
        .with("valid until", instant(event.not_after_s.saturating_mul(1_000_000)))
        .with("before", &event.previous_digest)
        .with("why", &event.why)
}

fn certificate_refused(event: &CertificateRefused) -> Words {
    Words::new("a changed certificate was refused, the last good one stays")
        .with("mistake", &event.mistake)
        .with("certificate", &event.certificate_digest)
        .with("why", &event.why)
}

fn version_served(event: &VersionServed) -> Words {
    Words::new(format!("version {} of {} came into service", event.version, event.model))
        .with("model digest", &event.model_digest)
        .with_some("in the place of", event.replaces.as_ref())
}

fn worker_started(event: &WorkerStarted) -> Words {
    Words::new(format!("a worker for {} was taken into service", event.model))
        .with("engine", &event.engine)
        .with("evidence", &event.evidence)
        .with("process", process(event.pid))
        .with_some("address", event.address.as_ref())
        .with("sandbox", list(&event.sandbox))
        .with("model digest", &event.model_digest)
        .with("keyset digest", &event.keyset_digest)
}

/// A worker on another host has none here.
fn process(pid: u32) -> String {
    if pid == 0 { String::new() } else { pid.to_string() }
}

fn worker_refused(event: &WorkerRefused) -> Words {
    let title = match event.what.as_str() {
        "keys" => format!("new keys of a worker for {} were refused", event.model),
        _ => format!("a worker for {} was refused", event.model),
    };
    Words::new(title)
        .with("why", &event.why)
        .with("times", event.count)
        .with("model digest", &event.model_digest)
}

fn keys_offered(event: &KeysOffered) -> Words {
    let ids: Vec<_> = event.key_ids.iter().map(ToString::to_string).collect();
    Words::new(format!("keys for {} were offered to clients", event.model))
        .with("evidence", &event.evidence)
        .with("key ids", ids.join(", "))
        .with("destroyed after", instant(event.not_after_s.saturating_mul(1_000_000)))
        .with("keyset digest", &event.keyset_digest)
        .with_some("of the worker with", event.worker.as_ref())
}

fn decision(event: &Decision) -> Words {
    let Decision { caller, inputs, .. } = event;
    let title = match event.verdict {
        Verdict::Allow => format!("{} may {} {}", caller.subject, event.action, event.model),
        Verdict::Deny => {
            format!("{} may not {} {}: {}", caller.subject, event.action, event.model, event.code)
        }
    };
    let sealed = match event.mode {
        Mode::GatewaySealed => "by the gateway",
        Mode::ClientSealed => "by the client; the gateway saw ciphertext only",
    };
    Words::new(title.trim_end())
        .with("tenant", &caller.tenant)
        .with("issuer", &caller.issuer)
        .with_some("client", caller.client_id.as_ref())
        .with_some("token", caller.token_id.as_ref())
        .with("token age", format_args!("{} s", inputs.token_age_s))
        .with("groups", list(&inputs.groups))
        .with("scopes", list(&inputs.scopes))
        .with_some("clearance", inputs.clearance.as_ref())
        .with("network", &event.address)
        .with("protocol", &event.protocol)
        .with("sealed", sealed)
        .with_some("model version", event.model_version.as_ref())
        .with_some("model digest", event.model_digest.as_ref())
        .with("rules", list(&event.rules))
        .with("limits", &event.limit_profile)
        .with("release", &event.release_profile)
        .with("rows reserved", event.rows_reserved)
        .with_some("budget", event.budget.as_ref())
        .with("reserved", event.charge.map(|charge| money(charge.reserved)).unwrap_or_default())
        .with("policy digest", &event.policy_digest)
        .with_some("candidate digest", event.candidate_digest.as_ref())
}

fn differed(event: &CandidateDiffered) -> Words {
    let title = match event.verdict {
        Verdict::Allow => {
            "the candidate policies would have allowed it, or on other terms".to_owned()
        }
        Verdict::Deny => format!("the candidate policies would have denied it: {}", event.code),
    };
    Words::new(title)
        .with("rules", list(&event.rules))
        .with("limits", &event.limit_profile)
        .with("release", &event.release_profile)
        .with("candidate digest", &event.candidate_digest)
}

fn retried(event: &Retried) -> Words {
    let why = match event.why.as_str() {
        "busy" => "the worker's queue was full",
        "unsent" => "the worker was gone before it was sent",
        other => other,
    };
    Words::new("no worker had begun with it: it was sealed anew, under another grant")
        .with("why", why)
        .with("the grant is valid for", format_args!("{} ms", event.grant_valid_ms))
        .with(
            "keyset digest of the worker before",
            event.keyset_digest.as_ref().map_or("", Text::as_str),
        )
}

fn outcome(event: &Outcome) -> Words {
    let title = match event.code.as_str() {
        "ok" => "the worker answered".to_owned(),
        "client_gone" => "the client went away before the answer".to_owned(),
        code => format!("there was no score: {code}"),
    };
    let mut words = Words::new(title)
        .with("status", event.status)
        .with("rows scored", event.rows)
        .with("length class", &event.length_class);
    for (stage, us) in &event.stages_us {
        words = words.with("time", format_args!("{stage} {us} us"));
    }
    if let Some(usage) = event.usage {
        words = words
            .with("worker busy", format_args!("{} us with {} MiB", usage.busy_us, usage.memory_mb))
            .with("bytes", format_args!("{} in, {} out", usage.bytes_in, usage.bytes_out))
            .with("cost", usage.charge.map(money).unwrap_or_default());
    }
    words
        .with_some("receipt digest", event.receipt_digest.as_ref())
        .with_some("model digest", event.model_digest.as_ref())
        .with_some("keyset digest", event.keyset_digest.as_ref())
}

impl Words {
    fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), facts: Vec::new() }
    }

    /// Adds what is not empty.
    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        let value = value.to_string();
        if !value.is_empty() {
            self.facts.push((name, value));
        }
        self
    }

    fn with_some(self, name: &'static str, value: Option<&Text>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

fn money(picos: u64) -> String {
    Money::from_picos(picos).to_string()
}

fn list(texts: &Texts) -> String {
    let texts: Vec<_> = texts.iter().map(Text::as_str).collect();
    texts.join(", ")
}
