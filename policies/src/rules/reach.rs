//! A permit that reaches further than whoever wrote it may have thought.

use cedar_policy::{ActionConstraint, Effect, Policy, ResourceConstraint};

use super::entities::{self, GATEWAY, MODEL};
use super::lint::Source;
use crate::ask::{Action, GatewayAction};
use crate::mistake::Mistakes;

/// `permit (principal in Group::"x", action, resource)` lets the group use the models, and revoke
/// keys as well.
pub(super) fn must_be_meant(policy: &Policy, source: &Source<'_>, mistakes: &mut Mistakes) {
    if policy.effect() == Effect::Permit && models(policy) && gateway(policy) {
        mistakes
            .warning(
                source.place(),
                "permits what can be asked of the gateway as well as of models",
            )
            .hint("name the actions, or write `resource is Model`");
    }
}

fn models(policy: &Policy) -> bool {
    Action::ALL.map(entities::action_uid).iter().any(|action| names(policy, action))
        && can_be(policy, MODEL)
}

fn gateway(policy: &Policy) -> bool {
    GatewayAction::ALL.map(entities::gateway_action_uid).iter().any(|action| names(policy, action))
        && can_be(policy, GATEWAY)
}

/// Groups of actions are the schema's to know: one that stands here counts as naming neither.
fn names(policy: &Policy, action: &cedar_policy::EntityUid) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == *action,
        ActionConstraint::In(uids) => uids.contains(action),
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
