//! Holds the folder's schema against what is really supplied.
//!
//! Rules are validated against the schema, and requests are not validated again on the way, for
//! that would cost as much as deciding. So the schema must describe exactly what we supply.

use std::net::{IpAddr, Ipv4Addr};

use cedar_policy::{Entities, Entity, Request, Schema};

use super::context::{ContextUse, context_of};
use super::entities::{self, ModelEntity};
use super::schema::SCHEMA;
use crate::ask::{Action, Ask, Mode, Protocol};
use crate::mistake::{Mistakes, Place};
use crate::tables::Model;

pub(super) fn must_describe_what_we_supply(schema: &Schema, mistakes: &mut Mistakes) {
    let Ok(model) = ModelEntity::new(&Model::example()) else { return };
    for caller in entities::examples().into_iter().flatten() {
        if let Err(message) = entities_fit(schema, &caller, &model) {
            return complain(mistakes, message);
        }
        for action in Action::ALL {
            for version in [None, Some("1")] {
                if let Err(message) = request_fits(schema, &caller, &model, action, version) {
                    return complain(mistakes, message);
                }
            }
        }
    }
}

fn entities_fit(schema: &Schema, caller: &Entity, model: &ModelEntity) -> Result<(), String> {
    let both = [caller.clone(), model.entity().clone()];
    Entities::from_entities(both, Some(schema)).map(drop).map_err(chain)
}

fn request_fits(
    schema: &Schema,
    caller: &Entity,
    model: &ModelEntity,
    action: Action,
    version: Option<&str>,
) -> Result<(), String> {
    let ask = Ask {
        model: "example",
        version,
        action,
        mode: Mode::GatewaySealed,
        protocol: Protocol::V2,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        rows: Some(1),
        now_s: 0,
    };
    let context = context_of(&ask, Some(0), ContextUse::ALL).map_err(chain)?;
    let action = entities::action_uid(action);
    Request::new(caller.uid(), action, model.uid().clone(), context, Some(schema))
        .map(drop)
        .map_err(chain)
}

fn complain(mistakes: &mut Mistakes, message: String) {
    mistakes
        .error(
            Place::file(SCHEMA),
            format!("does not describe what the gateway supplies: {message}"),
        )
        .hint("take the schema from `policies/default`; what you add to it must be optional");
}

fn chain(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.trim_end_matches('.').replace('\n', " ")
}
