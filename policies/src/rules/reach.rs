//! A permit that reaches further than whoever wrote it may have thought.

use cedar_policy::{ActionConstraint, Effect, Policy, ResourceConstraint};

use super::entities::{GATEWAY, MODEL};
use super::lint::Source;
use crate::mistake::Mistakes;

/// `permit (principal in Group::"x", action, resource)` lets the group use the models, and revoke
/// keys as well. Whoever means both names the actions.
pub(super) fn must_be_meant(policy: &Policy, source: &Source<'_>, mistakes: &mut Mistakes) {
    if policy.effect() == Effect::Permit
        && policy.action_constraint() == ActionConstraint::Any
        && can_be(policy, MODEL)
        && can_be(policy, GATEWAY)
    {
        mistakes
            .error(source.place(), "permits what can be asked of the gateway as well as of models")
            .hint("name the actions, or write `resource is Model`");
    }
}

fn can_be(policy: &Policy, kind: &str) -> bool {
    match policy.resource_constraint() {
        ResourceConstraint::Any => true,
        ResourceConstraint::Is(found) | ResourceConstraint::IsIn(found, _) => {
            found.basename() == kind
        }
        ResourceConstraint::Eq(uid) => uid.type_name().basename() == kind,
        // The gateway is in nothing but itself.
        ResourceConstraint::In(uid) => kind != GATEWAY || uid.type_name().basename() == GATEWAY,
    }
}
