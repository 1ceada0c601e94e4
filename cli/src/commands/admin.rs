//! `sealgate admin`: asks a gateway's admin listener.

use std::net::SocketAddr;

use clap::{Args, Subcommand, ValueEnum};
use sealgate_client::Answer;
use serde_json::{Value, json};

use super::listener::Listener;
use crate::error::CliError;
use crate::{Verdict, asking, output};

/// Reload policies, revoke, lock down: at once, on the record
///
/// The gateway's own rules say who may: `reload_policies` for `standing` and `reload`, `emergency`
/// for everything else. An order holds when the command returns, and over a restart of the gateway.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    listener: Listener,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(disable_help_subcommand = true)]
enum Command {
    /// Show the policy, the orders in force and the workers
    Standing,
    /// Have the policy folder read again
    Reload,
    /// Refuse every request, and go on recording
    LockDown,
    /// End the lock-down
    LiftLockDown,
    /// Refuse a model to everybody
    StopModel {
        /// The model's name
        model: String,
    },
    /// Let the policy decide about a model again
    ResumeModel {
        /// The model's name
        model: String,
    },
    /// Give no session to workers of a measurement, and end those that have one
    RevokeMeasurement {
        /// Its name in `measurements.toml`, or the SHA-256 of a worker's program in hex
        measurement: String,
    },
    /// Let the judge decide about a measurement again
    RestoreMeasurement {
        /// Its name or digest
        measurement: String,
    },
    /// Refuse tokens although they are valid
    Revoke {
        /// What is named: one token, a subject, a client or a signing key
        kind: Kind,
        /// Its exact value
        value: String,
        /// The issuer's name in `issuers.toml`; without it, whichever issuer says it
        #[arg(long)]
        issuer: Option<String>,
        /// From when on it counts again, in seconds since 1970
        #[arg(long, value_name = "SECONDS")]
        until: Option<u64>,
    },
    /// Have workers make new keys for clients; the old ones open for their overlap
    RotateKeys {
        /// Of this model alone
        #[arg(long)]
        model: Option<String>,
    },
    /// End workers and start others: all their keys die at once
    EndWorkers {
        /// Of this model alone
        #[arg(long)]
        model: Option<String>,
        /// The one of this process id alone, on the gateway's host
        #[arg(long)]
        pid: Option<u32>,
        /// The one at this address alone, on another
        #[arg(long, value_name = "IP:PORT")]
        address: Option<SocketAddr>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Jti,
    Sub,
    ClientId,
    Kid,
}

pub(crate) fn run(options: &Options) -> Result<Verdict, CliError> {
    let client = options.listener.client()?;
    let answer = asking::runtime()?.block_on(async {
        match &options.command {
            Command::Standing => client.standing().await,
            Command::Reload => client.reload().await,
            order => client.order(order.body().to_string()).await,
        }
    })?;
    tell(&answer)?;
    Ok(Verdict::Well)
}

fn tell(answer: &Answer) -> Result<(), CliError> {
    let told: Value = serde_json::from_slice(&answer.body).map_err(CliError::Json)?;
    output::line(serde_json::to_string_pretty(&told).map_err(CliError::Json)?)
}

impl Command {
    fn body(&self) -> Value {
        match self {
            Self::Standing | Self::Reload => Value::Null,
            Self::LockDown => json!({"order": "lock_down"}),
            Self::LiftLockDown => json!({"order": "lift_lock_down"}),
            Self::StopModel { model } => json!({"order": "stop_model", "model": model}),
            Self::ResumeModel { model } => json!({"order": "resume_model", "model": model}),
            Self::RevokeMeasurement { measurement } => {
                json!({"order": "revoke_measurement", "measurement": measurement})
            }
            Self::RestoreMeasurement { measurement } => {
                json!({"order": "restore_measurement", "measurement": measurement})
            }
            Self::Revoke { kind, value, issuer, until } => json!({
                "order": "revoke", "kind": kind.as_str(), "value": value,
                "issuer": issuer, "until_s": until,
            }),
            Self::RotateKeys { model } => json!({"order": "rotate_keys", "model": model}),
            Self::EndWorkers { model, pid, address } => json!({
                "order": "end_workers", "model": model, "pid": pid, "address": address,
            }),
        }
    }
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Jti => "jti",
            Self::Sub => "sub",
            Self::ClientId => "client_id",
            Self::Kid => "kid",
        }
    }
}
