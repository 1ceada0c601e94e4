//! A rule's scope, the part in brackets: what it can match.
//!
//! Cedar reads the scope before any condition, and reading it cannot fail. So a rule whose scope
//! does not match neither decides nor errs.

use cedar_policy::{
    ActionConstraint, Entities, EntityTypeName, EntityUid, Policy, PrincipalConstraint,
    ResourceConstraint,
};

/// The scope of one rule, with a template's slots filled in.
pub(super) struct Scope {
    pub(super) principal: Bound,
    actions: Option<Vec<EntityUid>>,
    pub(super) resource: Bound,
}

/// What a scope says of the principal or of the resource.
pub(super) struct Bound {
    /// `is`
    kind: Option<EntityTypeName>,
    named: Named,
}

enum Named {
    Anything,
    /// `==`
    Exactly(EntityUid),
    /// `in`
    Within(EntityUid),
}

/// A principal, an action or a resource, with all that it is in.
pub(super) struct Member {
    uid: EntityUid,
    ancestors: Vec<EntityUid>,
}

impl Scope {
    pub(super) fn of(policy: &Policy) -> Self {
        Self {
            principal: match policy.principal_constraint() {
                PrincipalConstraint::Any => Bound::new(None, Named::Anything),
                PrincipalConstraint::Eq(uid) => Bound::new(None, Named::Exactly(uid)),
                PrincipalConstraint::In(uid) => Bound::new(None, Named::Within(uid)),
                PrincipalConstraint::Is(kind) => Bound::new(Some(kind), Named::Anything),
                PrincipalConstraint::IsIn(kind, uid) => Bound::new(Some(kind), Named::Within(uid)),
            },
            actions: match policy.action_constraint() {
                ActionConstraint::Any => None,
                ActionConstraint::Eq(uid) => Some(vec![uid]),
                ActionConstraint::In(uids) => Some(uids),
            },
            resource: match policy.resource_constraint() {
                ResourceConstraint::Any => Bound::new(None, Named::Anything),
                ResourceConstraint::Eq(uid) => Bound::new(None, Named::Exactly(uid)),
                ResourceConstraint::In(uid) => Bound::new(None, Named::Within(uid)),
                ResourceConstraint::Is(kind) => Bound::new(Some(kind), Named::Anything),
                ResourceConstraint::IsIn(kind, uid) => Bound::new(Some(kind), Named::Within(uid)),
            },
        }
    }

    pub(super) fn matches(&self, principal: &Member, action: &Member, resource: &Member) -> bool {
        self.principal.matches(principal)
            && self.resource.matches(resource)
            && self.actions.as_ref().is_none_or(|uids| uids.iter().any(|uid| action.is_in(uid)))
    }
}

impl Bound {
    fn new(kind: Option<EntityTypeName>, named: Named) -> Self {
        Self { kind, named }
    }

    /// The one entity that it names: whatever it matches is that entity or in it.
    pub(super) fn name(&self) -> Option<&EntityUid> {
        match &self.named {
            Named::Anything => None,
            Named::Exactly(uid) | Named::Within(uid) => Some(uid),
        }
    }

    fn matches(&self, member: &Member) -> bool {
        let named = match &self.named {
            Named::Anything => true,
            Named::Exactly(uid) => *uid == member.uid,
            Named::Within(uid) => member.is_in(uid),
        };
        named && self.kind.as_ref().is_none_or(|kind| kind == member.uid.type_name())
    }
}

impl Member {
    /// As `entities`, by which will be decided, know it. What they do not know is in itself alone.
    pub(super) fn of(uid: &EntityUid, entities: &Entities) -> Self {
        let ancestors = entities.ancestors(uid).into_iter().flatten().cloned().collect();
        Self { uid: uid.clone(), ancestors }
    }

    /// Every name under which a rule can be about it, and `None` for rules that name nothing.
    pub(super) fn names(&self) -> impl Iterator<Item = Option<&EntityUid>> {
        [None, Some(&self.uid)].into_iter().chain(self.ancestors.iter().map(Some))
    }

    fn is_in(&self, uid: &EntityUid) -> bool {
        *uid == self.uid || self.ancestors.contains(uid)
    }
}
