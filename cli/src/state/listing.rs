//! `demo.json`: how to reach a demo that runs. There is none when it does not.

use std::io::ErrorKind;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{State, files};
use crate::error::CliError;

/// What scripts need to know. Every path is absolute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Listing {
    /// Of this form: 1.
    pub(crate) version: u32,
    /// `https://host:port`, without a slash at the end.
    pub(crate) url: String,
    /// The same for the admin listener, if it has one.
    pub(crate) admin_url: Option<String>,
    /// PEM file with the authority to trust.
    pub(crate) ca: PathBuf,
    /// File with a token that the policy lets infer.
    pub(crate) token: PathBuf,
    /// The default model.
    pub(crate) model: String,
    /// All models.
    pub(crate) models: Vec<String>,
    /// File with a V2 request for `model`.
    pub(crate) example: PathBuf,
    /// Folder of the audit log.
    pub(crate) audit: PathBuf,
    /// Folder of the policies.
    pub(crate) policies: PathBuf,
    /// The gateway's configuration.
    pub(crate) gateway_config: PathBuf,
    /// The gateway's process.
    pub(crate) gateway_pid: u32,
    /// The workers' processes, in order.
    pub(crate) worker_pids: Vec<u32>,
    /// The operator's public key, in base64, by which workers' evidence is judged.
    pub(crate) evidence_pin: Option<String>,
    /// The public key, in base64, of the gateway's own receipts.
    pub(crate) gateway_receipt_key: Option<String>,
    /// What the token says.
    pub(crate) allowed: Allowed,
}

/// Claims that are enough to infer; leave one out and the policy refuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    pub(crate) subject: String,
    pub(crate) groups: Vec<String>,
    pub(crate) tenant: String,
    pub(crate) scopes: Vec<String>,
}

impl Listing {
    /// Says that the demo runs.
    pub(crate) fn publish(&self, state: &State) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(self).map_err(CliError::Json)?;
        files::replace(&path(state), format!("{text}\n").as_bytes())
    }

    /// Says that it does not, also for one that could not say so itself.
    pub(crate) fn withdraw(state: &State) -> Result<(), CliError> {
        let path = path(state);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(CliError::io("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Reads how to reach the demo.
    pub(crate) fn read(state: &State) -> Result<Self, CliError> {
        let path = path(state);
        let Some(text) = files::read_if_there(&path)? else {
            return Err(CliError::NotRunning { dir: state.dir().to_owned() });
        };
        serde_json::from_str(&text)
            .map_err(|error| CliError::StateDamaged { path, why: error.to_string() })
    }
}

fn path(state: &State) -> PathBuf {
    state.path("demo.json")
}
