//! The rules: Cedar, read once, validated strictly, and asked with typed entities.

mod context;
mod entities;
mod lint;
mod load;
mod probe;
mod schema;
mod written;

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Entities, Entity, PolicyId, PolicySet, Request,
    Response,
};

use crate::ask::Ask;
use crate::caller::Caller;
use crate::tables::{LimitProfile, ReleaseProfile};

pub use context::ContextUse;
pub(crate) use entities::{ModelEntity, caller_entity};
pub use written::Found;
pub(crate) use written::{Looked, Written};

/// Every rule, with what its annotations mean.
pub(crate) struct Rules {
    authorizer: Authorizer,
    set: PolicySet,
    known: HashMap<PolicyId, Rule>,
    looks_at: ContextUse,
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
    /// The id of every rule, in no order.
    pub(crate) fn ids(&self) -> Vec<&str> {
        self.known.values().map(|rule| &*rule.id).collect()
    }

    pub(crate) fn looks_at(&self) -> ContextUse {
        self.looks_at
    }

    /// The context holds only what some rule looks at. So nothing else can decide, and a key
    /// made of the same values cannot miss anything: an attribute that the search for uses
    /// overlooked is not there, its rule fails, and failing denies.
    pub(crate) fn judge(&self, caller: &Caller, model: &ModelEntity, ask: &Ask<'_>) -> Verdict<'_> {
        let Some((request, entities)) = self.question(caller, model, ask) else {
            return Verdict::Error(Vec::new());
        };
        let response = self.authorizer.is_authorized(&request, &self.set, &entities);
        let failed: Vec<_> = failed(&response);
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

    fn question(
        &self,
        caller: &Caller,
        model: &ModelEntity,
        ask: &Ask<'_>,
    ) -> Option<(Request, Entities)> {
        let context = context::context(ask, caller, self.looks_at).ok()?;
        let action = entities::action_uid(ask.action);
        let request =
            Request::new(caller.entity().uid(), action, model.uid().clone(), context, None).ok()?;
        let entities = [caller.entity(), model.entity()].into_iter().chain(&self.actions).cloned();
        let entities = Entities::from_entities(entities, None).ok()?;
        Some((request, entities))
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
