//! What the record says of a request: decisions before, outcomes after.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use sealgate_audit as audit;
use sealgate_policies::{self as policies, Permit};

use crate::app::App;
use crate::cost::Used;
use crate::forward::{Allowed, Target};
use crate::journal::{Durable, address_class};
use crate::names::Names;
use crate::refusal::Refusal;
use crate::routes::Authenticated;

/// What a record says that a request was about.
pub struct Subject<'a> {
    /// What was to be done.
    pub action: &'a str,
    /// The model.
    pub model: &'a str,
    /// The version, if the request named one.
    pub version: Option<&'a str>,
    /// Who seals.
    pub mode: policies::Mode,
    /// In which protocol.
    pub protocol: &'a str,
}

impl Subject<'_> {
    /// Nothing that there is.
    #[must_use]
    pub const fn nothing() -> Self {
        let mode = policies::Mode::GatewaySealed;
        Self { action: "none", model: "", version: None, mode, protocol: "http" }
    }
}

impl<'a> From<&Target<'a>> for Subject<'a> {
    fn from(target: &Target<'a>) -> Self {
        Self {
            action: target.action.as_str(),
            model: target.model,
            version: target.version,
            mode: target.mode,
            protocol: target.protocol.as_str(),
        }
    }
}

/// A refusal, and what the record says of it beyond what the client is told.
pub struct Refused {
    /// What the client is told.
    pub told: Refusal,
    /// The record's code.
    pub code: audit::Text,
    /// The rules that decided.
    pub rules: audit::Texts,
}

impl Refused {
    /// A refusal of what the rules allowed.
    #[must_use]
    pub fn under(permit: &Permit, told: Refusal) -> Self {
        let rules = rule_ids(permit.rules());
        Self { rules, ..Self::from(told) }
    }
}

impl From<Refusal> for Refused {
    fn from(told: Refusal) -> Self {
        Self { told, code: told.recorded_code().into(), rules: audit::Texts::default() }
    }
}

/// Hands over the record of a request that is allowed.
pub fn allowed(
    app: &App,
    caller: &Authenticated,
    subject: &Subject<'_>,
    allowed: &Allowed<'_>,
    charge: Option<audit::Charge>,
) -> Durable {
    let permit = &allowed.permit;
    app.journal.append(&audit::Event::Decision(Box::new(audit::Decision {
        charge,
        code: "allowed".into(),
        limit_profile: permit.limits().name().as_ref().into(),
        model_digest: Some(allowed.version.digest().clone()),
        release_profile: permit.release().name().as_ref().into(),
        rows_reserved: allowed.rows,
        rules: rule_ids(permit.rules()),
        verdict: audit::Verdict::Allow,
        ..decision(app.journal.names(), caller, subject)
    })))
}

/// Records a description that every caller may have: of the server, or of what the caller may see.
///
/// # Errors
/// [`Refusal::AuditUnavailable`].
pub async fn described(app: &App, caller: &Authenticated, action: &str) -> Result<(), Refusal> {
    let subject = Subject { action, ..Subject::nothing() };
    allowed_gateway(app, caller, &subject, audit::Texts::default()).await
}

/// Records that a caller may do something with the gateway itself.
///
/// # Errors
/// [`Refusal::AuditUnavailable`].
pub async fn allowed_gateway(
    app: &App,
    caller: &Authenticated,
    subject: &Subject<'_>,
    rules: audit::Texts,
) -> Result<(), Refusal> {
    let decision = audit::Decision {
        code: "allowed".into(),
        rules,
        verdict: audit::Verdict::Allow,
        ..decision(app.journal.names(), caller, subject)
    };
    durable(caller, app.journal.append(&audit::Event::Decision(Box::new(decision)))).await
}

/// Records a denial; the refusal, with its receipt, once that is durable.
pub async fn deny(
    app: &App,
    caller: &Authenticated,
    subject: &Subject<'_>,
    refused: &Refused,
) -> Response<Body> {
    let decision = audit::Decision {
        budget: refused.told.budget().map(|budget| budget.as_str().into()),
        code: refused.code.clone(),
        rules: refused.rules.clone(),
        ..decision(app.journal.names(), caller, subject)
    };
    let written = app.journal.append(&audit::Event::Decision(Box::new(decision)));
    let told = durable(caller, written).await.err().unwrap_or(refused.told);
    app.receipts.refuse(told, caller)
}

/// Waits for a record; without it nothing may leave.
///
/// # Errors
/// [`Refusal::AuditUnavailable`].
pub async fn durable(caller: &Authenticated, record: Durable) -> Result<(), Refusal> {
    record.wait().await.map_err(|error| {
        tracing::error!(%error, request_id = caller.id.as_str(), "no record, so no answer");
        Refusal::AuditUnavailable
    })
}

/// The parts of a decision record that do not depend on what was decided; a denial until told.
fn decision(names: &Names, caller: &Authenticated, subject: &Subject<'_>) -> audit::Decision {
    audit::Decision {
        action: subject.action.into(),
        address: address_class(caller.address.0),
        budget: None,
        caller: names.caller(&caller.verified.recorded.caller),
        candidate_digest: caller.policy.candidate().map(|digest| digest.hex().into()),
        charge: None,
        code: "".into(),
        inputs: caller.verified.recorded.inputs(caller.now_s),
        limit_profile: "".into(),
        mode: match subject.mode {
            policies::Mode::GatewaySealed => audit::Mode::GatewaySealed,
            policies::Mode::ClientSealed => audit::Mode::ClientSealed,
        },
        model: subject.model.into(),
        model_digest: None,
        model_version: subject.version.map(Into::into),
        policy_digest: caller.policy.digest.clone(),
        protocol: subject.protocol.into(),
        release_profile: "".into(),
        request_id: caller.id.as_str().into(),
        rows_reserved: 0,
        rules: audit::Texts::default(),
        verdict: audit::Verdict::Deny,
    }
}

/// What an outcome record says of an answer.
pub struct Account {
    /// The worker's code, or `ok`.
    pub code: String,
    /// The status inside.
    pub status: u16,
    /// Rows scored.
    pub rows: u32,
    /// The answer's length class in bytes, if a worker gave it.
    pub length_class: Option<usize>,
    /// Of the model that answered.
    pub model_digest: [u8; 32],
    /// Of the keys of the worker that answered.
    pub keyset_digest: Option<[u8; 32]>,
    /// Of the receipt that went with the answer.
    pub receipt_digest: Option<[u8; 32]>,
    /// Microseconds by stage.
    pub stages_us: Vec<(&'static str, u32)>,
    /// What a worker used for it, if one did.
    pub used: Option<Used>,
}

/// Fills in how a request ended.
pub fn settle(
    outcome: &mut audit::Outcome,
    result: Result<&Account, Refusal>,
    begun: Instant,
    audit_us: u32,
) {
    let text = |digest: [u8; 32]| hex::encode(digest).into();
    match result {
        Ok(account) => {
            outcome.code = account.code.as_str().into();
            outcome.status = account.status;
            outcome.rows = account.rows;
            outcome.length_class =
                account.length_class.map_or_else(String::new, |bytes| bytes.to_string()).into();
            outcome.model_digest = Some(text(account.model_digest));
            outcome.keyset_digest = account.keyset_digest.map(text);
            outcome.receipt_digest = account.receipt_digest.map(text);
            let ours = [("audit_wait", audit_us), ("total", micros(begun.elapsed()))];
            let stages = account.stages_us.iter().copied().chain(ours);
            outcome.stages_us = stages.map(|(stage, us)| (stage.into(), us)).collect();
        }
        Err(refusal) => {
            outcome.code = refusal.recorded_code().into();
            outcome.status = refusal.status().as_u16();
        }
    }
}

/// The ids of rules, as records hold them.
#[must_use]
pub fn rule_ids(rules: &[Arc<str>]) -> audit::Texts {
    rules.iter().map(|rule| audit::Text::from(&**rule)).collect()
}

/// Microseconds, at most as many as a record holds.
#[must_use]
pub fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
