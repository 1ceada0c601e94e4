//! Callers, groups, tenants and models as Cedar sees them. Made by type, never from text.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use cedar_policy::{
    Entity, EntityAttrEvaluationError, EntityId, EntityTypeName, EntityUid, RestrictedExpression,
};

use crate::ask::Action;
use crate::caller::Standing;
use crate::tables::Model;

/// A model and its name, made once at load.
pub(crate) struct ModelEntity {
    uid: EntityUid,
    entity: Entity,
}

impl ModelEntity {
    pub(crate) fn new(model: &Model) -> Result<Self, Box<EntityAttrEvaluationError>> {
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
    let attributes = HashMap::from([
        ("issuer".to_owned(), text(issuer)),
        ("subject".to_owned(), text(subject)),
        (
            "scopes".to_owned(),
            RestrictedExpression::new_set(standing.scopes.iter().map(|s| text(s))),
        ),
        ("clearance".to_owned(), RestrictedExpression::new_long(standing.clearance)),
    ]);
    let groups = standing.groups.iter().map(|group| uid(&TYPES.group, group));
    let parents = groups.chain(standing.tenant.as_deref().map(uid_of_tenant)).collect();
    Entity::new(uid(&TYPES.caller, &format!("{issuer}/{subject}")), attributes, parents)
        .map_err(Box::new)
}

pub(crate) fn action_uid(action: Action) -> EntityUid {
    match action {
        Action::Infer => TYPES.infer.clone(),
        Action::DescribeModel => TYPES.describe_model.clone(),
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
    infer: EntityUid,
    describe_model: EntityUid,
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
        infer: uid(&action, Action::Infer.as_str()),
        describe_model: uid(&action, Action::DescribeModel.as_str()),
    }
});

pub(super) const CALLER: &str = "Caller";
pub(super) const GROUP: &str = "Group";
pub(super) const TENANT: &str = "Tenant";
pub(super) const MODEL: &str = "Model";

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
