//! Callers, groups, tenants, models and the gateway as Cedar sees them. Made by type, never from
//! text.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    Entity, EntityAttrEvaluationError, EntityId, EntityTypeName, EntityUid, RestrictedExpression,
};

use crate::ask::{Action, GatewayAction};
use crate::caller::Standing;
use crate::tables::Model;

/// What something is asked of, with its name. Made once at load.
pub(crate) struct Resource {
    uid: EntityUid,
    entity: Entity,
}

impl Resource {
    pub(crate) fn model(model: &Model) -> Result<Self, Box<EntityAttrEvaluationError>> {
        let uid = uid(&TYPES.model, model.name());
        let owner = uid_of_tenant(model.owner());
        let attributes = HashMap::from([
            ("owner".to_owned(), RestrictedExpression::new_entity_uid(owner.clone())),
            ("sensitivity".to_owned(), RestrictedExpression::new_long(model.sensitivity())),
        ]);
        let entity =
            Entity::new(uid.clone(), attributes, HashSet::from([owner])).map_err(Box::new)?;
        Ok(Self { uid, entity })
    }

    /// `Gateway::"this"`: there is one, and nothing more to say of it.
    pub(crate) fn gateway() -> Self {
        let uid = TYPES.this_gateway.clone();
        let entity = Entity::new_no_attrs(uid.clone(), HashSet::new());
        Self { uid, entity }
    }

    pub(crate) fn uid(&self) -> &EntityUid {
        &self.uid
    }

    pub(crate) fn entity(&self) -> &Entity {
        &self.entity
    }
}

/// `Caller::"issuer/subject"`: an issuer's name has no slash, so no two callers share one.
pub(crate) fn caller_entity(
    issuer: &str,
    subject: &str,
    standing: &Standing,
) -> Result<Entity, Box<EntityAttrEvaluationError>> {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let tenant = standing.tenant.as_deref().map(uid_of_tenant);
    let mut attributes = HashMap::from([
        ("issuer".to_owned(), text(issuer)),
        ("subject".to_owned(), text(subject)),
        (
            "scopes".to_owned(),
            RestrictedExpression::new_set(standing.scopes.iter().map(|s| text(s))),
        ),
        ("clearance".to_owned(), RestrictedExpression::new_long(standing.clearance)),
    ]);
    if let Some(tenant) = tenant.clone() {
        attributes.insert("tenant".to_owned(), RestrictedExpression::new_entity_uid(tenant));
    }
    let groups = standing.groups.iter().map(|group| uid(&TYPES.group, group));
    let parents = groups.chain(tenant).collect();
    Entity::new(uid(&TYPES.caller, &format!("{issuer}/{subject}")), attributes, parents)
        .map_err(Box::new)
}

pub(crate) fn action_uid(action: Action) -> &'static EntityUid {
    match action {
        Action::Infer => &TYPES.infer,
        Action::DescribeModel => &TYPES.describe_model,
    }
}

pub(crate) fn gateway_action_uid(action: GatewayAction) -> &'static EntityUid {
    match action {
        GatewayAction::ReadOwnReceipt => &TYPES.read_own_receipt,
        GatewayAction::ReviewAudit => &TYPES.review_audit,
        GatewayAction::ReadUsage => &TYPES.read_usage,
        GatewayAction::ReloadPolicies => &TYPES.reload_policies,
        GatewayAction::Emergency => &TYPES.emergency,
    }
}

fn uid_of_tenant(tenant: &str) -> EntityUid {
    uid(&TYPES.tenant, tenant)
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

struct Types {
    caller: EntityTypeName,
    group: EntityTypeName,
    tenant: EntityTypeName,
    model: EntityTypeName,
    this_gateway: EntityUid,
    infer: EntityUid,
    describe_model: EntityUid,
    read_own_receipt: EntityUid,
    review_audit: EntityUid,
    read_usage: EntityUid,
    reload_policies: EntityUid,
    emergency: EntityUid,
}

#[expect(clippy::expect_used, reason = "the names are constants and each is an identifier")]
static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let kind =
        |name: &str| -> EntityTypeName { name.parse().expect("an identifier is a type name") };
    let action = kind("Action");
    Types {
        caller: kind(CALLER),
        group: kind(GROUP),
        tenant: kind(TENANT),
        model: kind(MODEL),
        this_gateway: uid(&kind(GATEWAY), "this"),
        infer: uid(&action, Action::Infer.as_str()),
        describe_model: uid(&action, Action::DescribeModel.as_str()),
        read_own_receipt: uid(&action, GatewayAction::ReadOwnReceipt.as_str()),
        review_audit: uid(&action, GatewayAction::ReviewAudit.as_str()),
        read_usage: uid(&action, GatewayAction::ReadUsage.as_str()),
        reload_policies: uid(&action, GatewayAction::ReloadPolicies.as_str()),
        emergency: uid(&action, GatewayAction::Emergency.as_str()),
    }
});

pub(super) const CALLER: &str = "Caller";
pub(super) const GROUP: &str = "Group";
pub(super) const TENANT: &str = "Tenant";
pub(super) const MODEL: &str = "Model";
pub(super) const GATEWAY: &str = "Gateway";

/// Two callers at the ends of what there can be, to hold the schema against.
pub(super) fn examples() -> [Result<Entity, Box<EntityAttrEvaluationError>>; 2] {
    let nobody = Standing { tenant: None, groups: Vec::new(), scopes: Vec::new(), clearance: 0 };
    let somebody = Standing {
        tenant: Some(Arc::from("tenant")),
        groups: vec![Arc::from("group")],
        scopes: vec![Arc::from("scope")],
        clearance: 1,
    };
    [caller_entity("issuer", "nobody", &nobody), caller_entity("issuer", "somebody", &somebody)]
}
