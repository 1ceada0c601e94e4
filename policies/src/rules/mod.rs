//! The rules: Cedar, read once, validated strictly, and asked with typed entities.
//!
//! ```text
//! load     rules/*.cedar -> Rules          schema, lint, probe, reach: what is wrong with them
//! asked    caller, action, resource -> Question    its slice: scope, slice
//!          + circumstances (context) -> Verdict
//! ```

mod addresses;
mod context;
mod entities;
#[cfg(test)]
mod exactness;
mod lint;
mod load;
mod probe;
mod question;
mod reach;
mod schema;
mod scope;
mod slice;
mod written;

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Entity, EntityUid, PolicyId, PolicySet, Response,
};

use crate::ask::{Ask, GatewayAsk};
use crate::caller::Caller;
use crate::tables::{LimitProfile, ReleaseProfile};

use addresses::Addresses;
use context::Circumstances;
pub use context::ContextUse;
pub(crate) use entities::{Resource, caller_entity};
pub(crate) use question::{Asked, Question};
use slice::{Index, Slices};
pub use written::Found;
pub(crate) use written::{Looked, Written};

/// Every rule, with what its annotations mean.
pub(crate) struct Rules {
    authorizer: Authorizer,
    set: PolicySet,
    index: Index,
    slices: Slices,
    addresses: Addresses,
    known: HashMap<PolicyId, Rule>,
    /// Empty unless the schema groups actions, which `action in ..` needs to see.
    actions: Vec<Entity>,
}

/// One rule's obligations and name.
pub(crate) struct Rule {
    pub(crate) id: Arc<str>,
    pub(crate) code: Option<String>,
    pub(crate) release: Option<Arc<ReleaseProfile>>,
    pub(crate) limits: Option<Arc<LimitProfile>>,
}

/// What the rules say.
pub(crate) enum Verdict<'a> {
    /// These permit it and none forbids it.
    Permit(Vec<&'a Rule>),
    /// These forbid it, or, if there are none, no rule permits it.
    Forbid(Vec<&'a Rule>),
    /// At least one could not be evaluated.
    Error(Vec<Arc<str>>),
}

impl Rules {
    fn new(set: PolicySet, known: HashMap<PolicyId, Rule>, actions: Vec<Entity>) -> Self {
        Self {
            authorizer: Authorizer::new(),
            index: Index::new(&set),
            slices: Slices::new(),
            addresses: Addresses::new(),
            set,
            known,
            actions,
        }
    }

    /// The id of every rule, in no order.
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.known.values().map(|rule| &*rule.id).collect()
    }

    /// Which circumstances any rule looks at.
    pub(crate) fn looks_at(&self) -> ContextUse {
        self.index.looks_at_by_any()
    }

    /// A question that the caller will likely ask again, ready since he asked it first.
    pub(crate) fn repeated(
        &self,
        caller: &Caller,
        ask: &Ask<'_>,
        model: &Resource,
    ) -> Option<Arc<Question>> {
        let action = entities::action_uid(ask.action);
        if let Some(question) = caller.asked().recall(action, model) {
            return Some(question);
        }
        let question = Arc::new(self.question(caller.entity(), action, model)?);
        caller.asked().remember(Arc::clone(&question));
        Some(question)
    }

    /// A question about a model that is not worth remembering.
    pub(crate) fn once(
        &self,
        caller: &Caller,
        ask: &Ask<'_>,
        model: &Resource,
    ) -> Option<Question> {
        self.question(caller.entity(), entities::action_uid(ask.action), model)
    }

    pub(crate) fn judge(
        &self,
        caller: &Caller,
        question: Option<&Question>,
        ask: &Ask<'_>,
    ) -> Verdict<'_> {
        self.answer(question, &Circumstances::of(caller, ask))
    }

    pub(crate) fn judge_gateway(
        &self,
        caller: &Caller,
        gateway: &Resource,
        ask: &GatewayAsk,
    ) -> Verdict<'_> {
        let action = entities::gateway_action_uid(ask.action);
        let question = self.question(caller.entity(), action, gateway);
        self.answer(question.as_ref(), &Circumstances::of_gateway(caller, ask))
    }

    fn question(
        &self,
        caller: &Entity,
        action: &'static EntityUid,
        resource: &Resource,
    ) -> Option<Question> {
        let question = Question::new(caller, action, resource, &self.actions)?;
        let [principal, action, resource] = question.members();
        let numbers = self.index.find(&principal, &action, &resource);
        // Not its own numbers: those that everybody shares who has the same.
        let rules = Arc::clone(&self.slices.of(&numbers, &self.index, &self.set)?.numbers);
        let looks_at = self.index.looks_at(&rules);
        Some(question.about(rules, looks_at))
    }

    fn answer(
        &self,
        question: Option<&Question>,
        circumstances: &Circumstances<'_>,
    ) -> Verdict<'_> {
        match question.and_then(|question| self.response(question, circumstances)) {
            Some(response) => self.verdict(&response),
            None => Verdict::Error(Vec::new()),
        }
    }

    fn response(&self, question: &Question, circumstances: &Circumstances<'_>) -> Option<Response> {
        let slice = self.slices.of(&question.rules, &self.index, &self.set)?;
        let request = question.request(circumstances, &self.addresses)?;
        Some(self.authorizer.is_authorized(&request, &slice.set, &question.entities))
    }

    fn verdict(&self, response: &Response) -> Verdict<'_> {
        let failed = failed(response);
        if !failed.is_empty() {
            return Verdict::Error(failed);
        }
        let mut rules: Vec<&Rule> =
            response.diagnostics().reason().filter_map(|id| self.known.get(id)).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        match response.decision() {
            Decision::Allow => Verdict::Permit(rules),
            Decision::Deny => Verdict::Forbid(rules),
        }
    }
}

fn failed(response: &Response) -> Vec<Arc<str>> {
    let mut ids: Vec<Arc<str>> = response
        .diagnostics()
        .errors()
        .map(|AuthorizationError::PolicyEvaluationError(error)| {
            error.policy_id().to_string().into()
        })
        .collect();
    ids.sort_unstable();
    ids
}
