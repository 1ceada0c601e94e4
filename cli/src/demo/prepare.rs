//! Everything that must lie in the state folder before the gateway starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use sealgate_audit::CheckpointKey;
use sealgate_keys::Base64;
use sealgate_keys::receipt::ReceiptKey;

use super::gateway::Gateway;
use super::now_s;
use super::ready::url_of;
use crate::error::CliError;
use crate::state::config::{EdgeAt, GATEWAY_RECEIPT_KEY, OPERATOR_KEY};
use crate::state::issuer::{Claims, DevIssuer, LIFETIME_MAX};
use crate::state::listing::{Allowed, Listing};
use crate::state::model::Prepared as Model;
use crate::state::tls::Identity;
use crate::state::{State, config, example, files, model, policies, tls};
use crate::{output, signing_key};

/// What was prepared.
pub(super) struct Prepared {
    identity: Identity,
    issuer: DevIssuer,
    keys: PublicKeys,
    policies: PathBuf,
    example: PathBuf,
    pub(super) config: PathBuf,
    /// Whether the load decides how many workers there are.
    pub(super) scaling: bool,
}

/// What clients of the demo pin, in base64.
struct PublicKeys {
    operator: String,
    gateway_receipt: String,
}

pub(super) fn prepare(
    state: &State,
    listen: SocketAddr,
    unsafe_remote: bool,
    scaling: bool,
) -> Result<Prepared, CliError> {
    // Left behind by a demo that was killed.
    Listing::withdraw(state)?;
    let identity = tls::prepare(state, listen, now_s())?;
    output::note("certificate  for localhost, from the demo's own authority");
    let issuer = DevIssuer::load_or_create(state)?;
    let policies = policies::prepare(state, &issuer)?;
    output::note(format_args!("policies     {}", policies.display()));
    CheckpointKey::load_or_create(&state.path("keys/audit.pk8"))?;
    files::private_dir(&state.path("audit"))?;
    output::note(format_args!("audit log    {}", state.path("audit").display()));
    let done = match model::prepare(state)? {
        Model::Trained => "trained",
        Model::Kept => "kept",
    };
    let artifact = model::load(state)?;
    output::note(format_args!("model        {} {done}, sha256 {}", model::NAME, artifact.digest()));
    let example = example::prepare(state, artifact.manifest())?;
    let receipts = ReceiptKey::load_or_create(&state.path(GATEWAY_RECEIPT_KEY))?;
    let keys = PublicKeys {
        operator: signing_key::load_or_create(&state.path(OPERATOR_KEY))?.encode(),
        gateway_receipt: Base64(receipts.public().to_vec()).encode(),
    };
    let edge = EdgeAt { listen, unsafe_remote, identity: &identity };
    let config = config::prepare(state, &edge, &keys.operator, scaling)?;
    let prepared = Prepared { identity, issuer, keys, policies, example, config, scaling };
    prepared.renew_token(state)?;
    Ok(prepared)
}

impl Prepared {
    /// Writes a token that lives as long as the policy lets it.
    pub(super) fn renew_token(&self, state: &State) -> Result<(), CliError> {
        let Allowed { subject, groups, tenant, scopes } = allowed();
        let claims = Claims { subject, groups, tenant: Some(tenant), scopes };
        let token = self.issuer.token(&claims, now_s(), LIFETIME_MAX)?;
        files::replace(&state.path("token"), token.as_bytes())
    }

    /// A token for somebody who operates the gateway.
    pub(super) fn operators_token(&self) -> Result<String, CliError> {
        let claims = Claims {
            subject: "demo-operator".to_owned(),
            groups: vec!["operators".to_owned()],
            tenant: None,
            scopes: Vec::new(),
        };
        self.issuer.token(&claims, now_s(), LIFETIME_MAX)
    }

    /// How to reach the gateway at `url`.
    pub(super) fn listing(&self, state: &State, url: &str, gateway: &Gateway) -> Listing {
        Listing {
            version: 1,
            url: url.to_owned(),
            admin_url: gateway.admin().map(url_of),
            ca: self.identity.ca.clone(),
            token: state.path("token"),
            model: model::NAME.to_owned(),
            models: vec![model::NAME.to_owned()],
            example: self.example.clone(),
            audit: state.path("audit"),
            policies: self.policies.clone(),
            gateway_config: self.config.clone(),
            gateway_pid: gateway.pid(),
            worker_pids: gateway.workers(),
            evidence_pin: Some(self.keys.operator.clone()),
            gateway_receipt_key: Some(self.keys.gateway_receipt.clone()),
            allowed: allowed(),
        }
    }
}

/// What the policy folder asks of somebody who may infer. Nothing of it depends on hour or address.
fn allowed() -> Allowed {
    Allowed {
        subject: "demo".to_owned(),
        groups: vec!["clinicians".to_owned()],
        tenant: "general-hospital".to_owned(),
        scopes: vec!["infer".to_owned()],
    }
}
