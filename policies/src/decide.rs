//! From a caller and what he asks to a permit or a denial. Refusal is the default.

use std::borrow::Cow;
use std::sync::Arc;

use crate::ask::{Action, Ask};
use crate::caller::Caller;
use crate::decision::{
    Decision, Denial, EVALUATION_ERROR, FORBIDDEN_BY_RULE, MODE_NOT_ALLOWED, MODEL_UNKNOWN,
    NOT_PERMITTED, POLICY_CHANGED, Permit,
};
use crate::rules::{Rule, Verdict};
use crate::set::PolicySet;
use crate::tables::Model;

impl PolicySet {
    /// Decides. Whoever remembers callers asks [`still_valid`](Self::still_valid) first.
    pub fn decide(&self, caller: &Caller, ask: &Ask<'_>) -> Decision {
        if caller.policy() != self.digest {
            return self.denied(POLICY_CHANGED, Vec::new());
        }
        let Some((model, entity)) = self.models.get(ask.model) else {
            return self.denied(MODEL_UNKNOWN, Vec::new());
        };
        if !model.has_version(ask.version) {
            return self.denied(MODEL_UNKNOWN, Vec::new());
        }
        match self.rules.judge(caller, entity, ask) {
            Verdict::Error(rules) => self.denied(EVALUATION_ERROR, rules),
            Verdict::Forbid(rules) => self.denied(code(&rules), ids(&rules)),
            Verdict::Permit(_) if !model.modes().contains(&ask.mode) => {
                self.denied(MODE_NOT_ALLOWED, Vec::new())
            }
            Verdict::Permit(rules) => Decision::Allowed(self.permit(caller, model, ask, &rules)),
        }
    }

    /// The models that a caller may describe, in the circumstances of `ask` (whose model, version
    /// and action do not count).
    pub fn describable<'a>(&'a self, caller: &Caller, ask: &Ask<'_>) -> Vec<&'a Model> {
        let describe = |model: &'a Model| Ask {
            model: model.name(),
            version: None,
            action: Action::DescribeModel,
            ..ask.clone()
        };
        self.models()
            .filter(|model| matches!(self.decide(caller, &describe(model)), Decision::Allowed(_)))
            .collect()
    }

    fn permit(
        &self,
        caller: &Caller,
        model: &Arc<Model>,
        ask: &Ask<'_>,
        rules: &[&Rule],
    ) -> Permit {
        let releases: Vec<_> = rules.iter().map(|rule| rule.release.clone()).collect();
        let limits: Vec<_> = rules.iter().map(|rule| rule.limits.clone()).collect();
        Permit {
            model: Arc::clone(model),
            version: ask.version.map(str::to_owned),
            action: ask.action,
            mode: ask.mode,
            tenant: caller.tenant().cloned(),
            release: self.releases.strictest_of(&releases),
            limits: self.limits.strictest_of(&limits),
            rules: ids(rules),
            policy: self.digest,
        }
    }

    fn denied(&self, code: impl Into<Cow<'static, str>>, rules: Vec<Arc<str>>) -> Decision {
        Decision::Denied(Denial { code: code.into(), rules, policy: self.digest })
    }
}

/// The first code among the rules, which are sorted by id: the same request is always denied for
/// the same reason.
fn code(rules: &[&Rule]) -> Cow<'static, str> {
    match rules.iter().find_map(|rule| rule.code.clone()) {
        Some(code) => code.into(),
        None if rules.is_empty() => NOT_PERMITTED.into(),
        None => FORBIDDEN_BY_RULE.into(),
    }
}

fn ids(rules: &[&Rule]) -> Vec<Arc<str>> {
    rules.iter().map(|rule| Arc::clone(&rule.id)).collect()
}
