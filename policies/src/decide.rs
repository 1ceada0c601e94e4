//! From a caller and what he asks to a permit or a denial. Refusal is the default.

use std::borrow::Cow;
use std::sync::Arc;

use crate::ask::{Action, Ask, DecisionKey, GatewayAsk};
use crate::caller::Caller;
use crate::decision::{
    Decision, Denial, EVALUATION_ERROR, FORBIDDEN_BY_RULE, GatewayDecision, GatewayPermit,
    MODE_NOT_ALLOWED, MODEL_UNKNOWN, NOT_PERMITTED, POLICY_CHANGED, Permit,
};
use crate::rules::{Question, Resource, Rule, Verdict};
use crate::set::PolicySet;
use crate::tables::Model;

impl PolicySet {
    /// Decides. Whoever remembers callers asks [`still_valid`](Self::still_valid) first.
    pub fn decide(&self, caller: &Caller, ask: &Ask<'_>) -> Decision {
        if caller.policy() != self.digest {
            return Decision::Denied(self.denied(POLICY_CHANGED, Vec::new()));
        }
        let Some((model, resource)) = self.models.get(ask.model) else {
            return Decision::Denied(self.denied(MODEL_UNKNOWN, Vec::new()));
        };
        let question = self.rules.repeated(caller, ask, resource);
        self.answer(caller, model, question.as_deref(), ask)
    }

    /// Decides what is asked of the gateway itself: as strictly, and with the same codes.
    pub fn decide_gateway(&self, caller: &Caller, ask: &GatewayAsk) -> GatewayDecision {
        if caller.policy() != self.digest {
            return GatewayDecision::Denied(self.denied(POLICY_CHANGED, Vec::new()));
        }
        match self.rules.judge_gateway(caller, &self.gateway, ask) {
            Verdict::Permit(rules) => GatewayDecision::Allowed(GatewayPermit {
                action: ask.action,
                tenant: caller.tenant().cloned(),
                rules: ids(&rules),
                policy: self.digest,
            }),
            Verdict::Forbid(rules) => {
                GatewayDecision::Denied(self.denied(code(&rules), ids(&rules)))
            }
            Verdict::Error(rules) => GatewayDecision::Denied(self.denied(EVALUATION_ERROR, rules)),
        }
    }

    /// The key under which a decision may be kept beside the caller it was made for. `None` when
    /// it may not be kept: a rule that applies to the caller, the model and the action looks at
    /// the time or the token's age, there is no such model, or the folder has changed.
    pub fn cache_key(&self, caller: &Caller, ask: &Ask<'_>) -> Option<DecisionKey> {
        if caller.policy() != self.digest {
            return None;
        }
        let (model, resource) = self.models.get(ask.model)?;
        self.rules.repeated(caller, ask, resource)?.looks_at().key(model, ask)
    }

    /// The models that a caller may describe, in the circumstances of `ask` (whose model, version
    /// and action do not count).
    pub fn describable<'a>(&'a self, caller: &Caller, ask: &Ask<'_>) -> Vec<&'a Model> {
        if caller.policy() != self.digest {
            return Vec::new();
        }
        let ask = Ask { version: None, action: Action::DescribeModel, ..ask.clone() };
        let may = |(model, resource): &&'a (Arc<Model>, Resource)| {
            let question = self.rules.once(caller, &ask, resource);
            matches!(self.answer(caller, model, question.as_ref(), &ask), Decision::Allowed(_))
        };
        self.models.values().filter(may).map(|(model, _)| &**model).collect()
    }

    fn answer(
        &self,
        caller: &Caller,
        model: &Arc<Model>,
        question: Option<&Question>,
        ask: &Ask<'_>,
    ) -> Decision {
        if !model.has_version(ask.version) {
            return Decision::Denied(self.denied(MODEL_UNKNOWN, Vec::new()));
        }
        Decision::Denied(match self.rules.judge(caller, question, ask) {
            Verdict::Permit(rules) if model.modes().contains(&ask.mode) => {
                return Decision::Allowed(self.permit(caller, model, ask, &rules));
            }
            Verdict::Permit(_) => self.denied(MODE_NOT_ALLOWED, Vec::new()),
            Verdict::Forbid(rules) => self.denied(code(&rules), ids(&rules)),
            Verdict::Error(rules) => self.denied(EVALUATION_ERROR, rules),
        })
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
            version: ask.version.map(|asked| model.version(asked).to_owned()),
            action: ask.action,
            mode: ask.mode,
            tenant: caller.tenant().cloned(),
            release: self.releases.strictest_of(&releases),
            limits: self.limits.strictest_of(&limits),
            rules: ids(rules),
            policy: self.digest,
        }
    }

    fn denied(&self, code: impl Into<Cow<'static, str>>, rules: Vec<Arc<str>>) -> Denial {
        Denial { code: code.into(), rules, policy: self.digest }
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
