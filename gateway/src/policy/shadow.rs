//! The candidate: evaluated beside the folder in force, never enforced. Where it would have
//! decided otherwise, the record says so.

use std::sync::Arc;

use sealgate_audit as audit;
use sealgate_policies::{Ask, Caller, Decision, Denial, Permit, PolicySet};

use crate::app::App;
use crate::record;
use crate::routes::Authenticated;

/// What a caller gets, as far as it can be told apart from outside.
#[derive(PartialEq, Eq)]
struct Effect<'a> {
    /// The denial's code; `None` when it is allowed.
    denied: Option<&'a str>,
    release: &'a str,
    limits: &'a str,
}

/// Compares what was decided with what the candidate says, and notes a difference.
pub fn observe(
    app: &App,
    caller: &Authenticated,
    ask: &Ask<'_>,
    decided: &Result<Arc<Permit>, Denial>,
) {
    let Some(candidate) = &caller.policy.candidate else { return };
    let enforced = match decided {
        Ok(permit) => Effect::of_permit(permit),
        Err(denial) => Effect::of_denial(denial),
    };
    let Some(known) = caller.verified.as_candidate_sees_him() else {
        // To the candidate his token does not count.
        return note(app, caller, candidate, Effect::denied(NO_TOKEN), &[]);
    };
    let said = candidate.decide(known, ask);
    let (effect, rules) = match &said {
        Decision::Allowed(permit) => (Effect::of_permit(permit), permit.rules()),
        Decision::Denied(denial) => (Effect::of_denial(denial), denial.rules()),
    };
    if effect != enforced {
        note(app, caller, candidate, effect, rules);
    }
}

/// The caller behind `token` as the candidate sees him, if to it the token counts.
#[must_use]
pub fn caller(candidate: Option<&PolicySet>, token: &str, now_s: u64) -> Option<Caller> {
    candidate?.authenticate(token, now_s).ok()
}

impl<'a> Effect<'a> {
    fn of_permit(permit: &'a Permit) -> Self {
        Self { denied: None, release: permit.release().name(), limits: permit.limits().name() }
    }

    fn of_denial(denial: &'a Denial) -> Self {
        Self::denied(denial.code())
    }

    fn denied(code: &'a str) -> Self {
        Self { denied: Some(code), release: "", limits: "" }
    }
}

fn note(
    app: &App,
    caller: &Authenticated,
    candidate: &PolicySet,
    effect: Effect<'_>,
    rules: &[Arc<str>],
) {
    app.journal.note(&audit::Event::CandidateDiffered(audit::CandidateDiffered {
        candidate_digest: candidate.digest().hex().into(),
        code: effect.denied.unwrap_or("allowed").into(),
        limit_profile: effect.limits.into(),
        release_profile: effect.release.into(),
        request_id: caller.id.as_str().into(),
        rules: record::rule_ids(rules),
        verdict: match effect.denied {
            None => audit::Verdict::Allow,
            Some(_) => audit::Verdict::Deny,
        },
    }));
}

const NO_TOKEN: &str = "token_refused";
