//! Holds the folder's schema against what is really supplied.
//!
//! Rules are validated against the schema, and requests are not validated again on the way, for
//! that would cost as much as deciding. So the schema must describe exactly what we supply.

use std::net::{IpAddr, Ipv4Addr};

use cedar_policy::{Entities, Entity, EntityUid, Request, Schema};

use super::addresses::Addresses;
use super::context::{Circumstances, ContextUse};
use super::entities::{self, Resource};
use super::schema::SCHEMA;
use crate::ask::{Action, Ask, GatewayAction, Mode, Protocol};
use crate::mistake::{Mistakes, Place};
use crate::tables::Model;

pub(super) fn must_describe_what_we_supply(schema: &Schema, mistakes: &mut Mistakes) {
    let Ok(model) = Resource::model(&Model::example()) else { return };
    let gateway = Resource::gateway();
    for caller in entities::examples().into_iter().flatten() {
        let probe = Probe { schema, caller: &caller };
        let fits = probe
            .entities(&[model.entity(), gateway.entity()])
            .and_then(|()| probe.models(&model))
            .and_then(|()| probe.gateway(&gateway));
        if let Err(message) = fits {
            return complain(mistakes, message);
        }
    }
}

struct Probe<'a> {
    schema: &'a Schema,
    caller: &'a Entity,
}

impl Probe<'_> {
    fn entities(&self, resources: &[&Entity]) -> Result<(), String> {
        let all = resources.iter().copied().chain([self.caller]).cloned();
        Entities::from_entities(all, Some(self.schema)).map(drop).map_err(chain)
    }

    fn models(&self, model: &Resource) -> Result<(), String> {
        for action in Action::ALL {
            for version in [None, Some("1")] {
                let ask = Ask { version, action, ..EXAMPLE };
                let circumstances = Circumstances { of_model: Some(&ask), ..ANY };
                self.request(entities::action_uid(action), model, circumstances)?;
            }
        }
        Ok(())
    }

    fn gateway(&self, gateway: &Resource) -> Result<(), String> {
        GatewayAction::ALL
            .into_iter()
            .try_for_each(|action| self.request(entities::gateway_action_uid(action), gateway, ANY))
    }

    fn request(
        &self,
        action: &EntityUid,
        resource: &Resource,
        circumstances: Circumstances<'_>,
    ) -> Result<(), String> {
        let context = circumstances.context(ContextUse::ALL, &Addresses::new()).map_err(chain)?;
        let (caller, resource) = (self.caller.uid(), resource.uid().clone());
        Request::new(caller, action.clone(), resource, context, Some(self.schema))
            .map(drop)
            .map_err(chain)
    }
}

const EXAMPLE: Ask<'static> = Ask {
    model: "example",
    version: None,
    action: Action::Infer,
    mode: Mode::GatewaySealed,
    protocol: Protocol::V2,
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    rows: Some(1),
    now_s: 0,
};

const ANY: Circumstances<'static> = Circumstances {
    address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    now_s: 0,
    token_age_s: Some(0),
    of_model: None,
};

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
