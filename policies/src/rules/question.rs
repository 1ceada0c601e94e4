//! What one caller asks again and again, made ready once.

use std::sync::{Arc, Mutex, PoisonError};

use cedar_policy::{Entities, Entity, EntityUid, Request};

use super::ContextUse;
use super::addresses::Addresses;
use super::context::Circumstances;
use super::entities::Resource;
use super::scope::Member;
use super::slice::Numbers;

/// One caller, one action and one resource: everything but the circumstances.
pub(crate) struct Question {
    principal: EntityUid,
    action: &'static EntityUid,
    resource: EntityUid,
    pub(super) entities: Entities,
    /// The rules that can have a say.
    pub(super) rules: Numbers,
    /// What those rules look at. Nothing else goes into the context.
    looks_at: ContextUse,
}

/// The questions that a caller asked last: few, because each holds a copy of who he is.
#[derive(Default)]
pub(crate) struct Asked(Mutex<Vec<Arc<Question>>>);

impl Question {
    /// Without its rules yet. `None` if no two entities could be told apart.
    pub(super) fn new(
        caller: &Entity,
        action: &'static EntityUid,
        resource: &Resource,
        actions: &[Entity],
    ) -> Option<Self> {
        let entities = [caller, resource.entity()].into_iter().chain(actions).cloned();
        Some(Self {
            principal: caller.uid(),
            action,
            resource: resource.uid().clone(),
            entities: Entities::from_entities(entities, None).ok()?,
            rules: Numbers::default(),
            looks_at: ContextUse::default(),
        })
    }

    pub(super) fn about(self, rules: Numbers, looks_at: ContextUse) -> Self {
        Self { rules, looks_at, ..self }
    }

    /// Which circumstances can make a difference.
    pub(crate) fn looks_at(&self) -> ContextUse {
        self.looks_at
    }

    /// Principal, action and resource.
    pub(super) fn members(&self) -> [Member; 3] {
        [&self.principal, self.action, &self.resource].map(|uid| Member::of(uid, &self.entities))
    }

    /// The context holds only what some rule of the slice looks at. So nothing else can decide,
    /// and a key made of the same values cannot miss anything: an attribute that the search for
    /// uses overlooked is not there, its rule fails, and failing denies.
    pub(super) fn request(
        &self,
        circumstances: &Circumstances<'_>,
        addresses: &Addresses,
    ) -> Option<Request> {
        let context = circumstances.context(self.looks_at, addresses).ok()?;
        let (principal, resource) = (self.principal.clone(), self.resource.clone());
        Request::new(principal, self.action.clone(), resource, context, None).ok()
    }

    fn is(&self, action: &EntityUid, resource: &Resource) -> bool {
        self.action == action && self.resource == *resource.uid()
    }
}

impl Asked {
    pub(super) fn recall(&self, action: &EntityUid, resource: &Resource) -> Option<Arc<Question>> {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().find(|question| question.is(action, resource)).cloned()
    }

    pub(super) fn remember(&self, question: Arc<Question>) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= QUESTIONS_MAX {
            asked.remove(0);
        }
        asked.push(question);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// About 3 kB each, per remembered caller.
const QUESTIONS_MAX: usize = 4;
