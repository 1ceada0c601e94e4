//! What only a request to a model has, as it is described on the command line.

use std::net::IpAddr;

use clap::Args;
use sealgate_policies::{Action, Ask, GatewayAction, Mode, Protocol};

use crate::error::CliError;

/// The options that say it.
#[derive(Args)]
pub(super) struct OfModel {
    /// The model; not for what is asked of the gateway
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// The model's version
    #[arg(long, value_name = "V")]
    version: Option<String>,
    /// How the request is sealed: gateway-sealed or client-sealed [default: gateway-sealed]
    #[arg(long, value_parser = mode)]
    mode: Option<Mode>,
    /// In which protocol it comes: v2, grpc, v1, invocations or ohttp [default: v2]
    #[arg(long, value_parser = protocol)]
    protocol: Option<Protocol>,
    /// How many rows the client announces
    #[arg(long, value_name = "N")]
    rows: Option<u32>,
}

impl OfModel {
    pub(super) fn ask(
        &self,
        action: Action,
        address: IpAddr,
        now_s: u64,
    ) -> Result<Ask<'_>, CliError> {
        let Some(model) = &self.model else {
            return Err(CliError::ModelUnsaid { action: action.as_str() });
        };
        Ok(Ask {
            model,
            version: self.version.as_deref(),
            action,
            mode: self.mode.unwrap_or(Mode::GatewaySealed),
            protocol: self.protocol.unwrap_or(Protocol::V2),
            address,
            rows: self.rows,
            now_s,
        })
    }

    pub(super) fn must_be_unsaid(&self, action: GatewayAction) -> Result<(), CliError> {
        let said = [
            ("--model", self.model.is_some()),
            ("--version", self.version.is_some()),
            ("--mode", self.mode.is_some()),
            ("--protocol", self.protocol.is_some()),
            ("--rows", self.rows.is_some()),
        ];
        match said.into_iter().find(|(_, said)| *said) {
            Some((option, _)) => Err(CliError::OnlyOfModels { option, action: action.as_str() }),
            None => Ok(()),
        }
    }
}

fn mode(given: &str) -> Result<Mode, String> {
    one_of(given, &[Mode::GatewaySealed, Mode::ClientSealed], Mode::as_str)
}

fn protocol(given: &str) -> Result<Protocol, String> {
    one_of(given, &Protocol::ALL, Protocol::as_str)
}

fn one_of<T: Copy>(given: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, String> {
    let names = || all.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", ");
    let found = all.iter().find(|one| name(**one) == given);
    found.copied().ok_or_else(|| format!("expected one of {}", names()))
}
