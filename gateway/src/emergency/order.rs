//! Orders as an admin writes them, and what of them is in force.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use sealgate_audit::Name;
use sealgate_policies::{Revocation, RevocationKind};
use serde::{Deserialize, Serialize};

use crate::names::Names;

use super::Stopped;

/// One order, as the body of a request: `{"order": "lock_down"}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Refuse every request, and go on recording.
    LockDown {},
    /// No longer.
    LiftLockDown {},
    /// Refuse a model to everybody.
    StopModel {
        /// Its name.
        model: String,
    },
    /// No longer.
    ResumeModel {
        /// Its name.
        model: String,
    },
    /// Give no session to workers of a measurement, and end those that have one.
    RevokeMeasurement {
        /// Its name in `measurements.toml`, or the SHA-256 of a worker's program in hex.
        measurement: String,
    },
    /// No longer.
    RestoreMeasurement {
        /// Its name or digest.
        measurement: String,
    },
    /// Refuse tokens although they are valid.
    Revoke {
        /// What is named.
        kind: RevokedKind,
        /// Its exact value.
        value: String,
        /// The issuer's name in `issuers.toml`; without it, whichever issuer says it.
        issuer: Option<String>,
        /// From when on the order no longer holds, in seconds since 1970; without it, never.
        until_s: Option<u64>,
    },
    /// Have workers make new keys for clients; the old ones open for their overlap.
    RotateKeys {
        /// Of this model alone.
        model: Option<String>,
    },
    /// End workers and start others: all their keys die at once.
    EndWorkers {
        /// Of this model alone.
        model: Option<String>,
        /// The one of this process id alone, on this host.
        pid: Option<u32>,
        /// The one at this address alone, on another.
        address: Option<SocketAddr>,
    },
}

/// What a revocation names, in the words of RFC 7519 and RFC 9068.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedKind {
    /// One token.
    Jti,
    /// All tokens about somebody.
    Sub,
    /// All tokens of a program.
    ClientId,
    /// All tokens signed by a key.
    Kid,
}

impl Order {
    /// Its word in records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::LockDown {} => "lock_down",
            Self::LiftLockDown {} => "lift_lock_down",
            Self::StopModel { .. } => "stop_model",
            Self::ResumeModel { .. } => "resume_model",
            Self::RevokeMeasurement { .. } => "revoke_measurement",
            Self::RestoreMeasurement { .. } => "restore_measurement",
            Self::Revoke { .. } => "revoke",
            Self::RotateKeys { .. } => "rotate_keys",
            Self::EndWorkers { .. } => "end_workers",
        }
    }

    /// What it is about, for records that name people by `names`.
    #[must_use]
    pub fn about(&self, names: &Names) -> String {
        match self {
            Self::LockDown {} | Self::LiftLockDown {} => String::new(),
            Self::StopModel { model } | Self::ResumeModel { model } => format!("model {model}"),
            Self::RevokeMeasurement { measurement } | Self::RestoreMeasurement { measurement } => {
                format!("measurement {measurement}")
            }
            Self::Revoke { kind, value, issuer, until_s } => {
                let issuer = issuer.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
                let until = until_s.map(|until_s| format!(" until {until_s}")).unwrap_or_default();
                let name = kind.name(value);
                let value = name.map_or_else(|| value.as_str().into(), |name| names.name(name));
                format!("{} {value}{issuer}{until}", kind.as_str())
            }
            Self::RotateKeys { model } => about_model(model.as_deref()),
            Self::EndWorkers { model, pid, address } => {
                let pid = pid.map(|pid| format!(" pid {pid}")).unwrap_or_default();
                let address = address.map(|at| format!(" address {at}")).unwrap_or_default();
                about_model(model.as_deref()) + &pid + &address
            }
        }
    }

    /// Whether names in it are of a size that a record holds.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let fits = |text: &str| (1..=TEXT_BYTES_MAX).contains(&text.len());
        match self {
            Self::LockDown {} | Self::LiftLockDown {} => true,
            Self::StopModel { model } | Self::ResumeModel { model } => fits(model),
            Self::RevokeMeasurement { measurement } | Self::RestoreMeasurement { measurement } => {
                fits(measurement)
            }
            Self::Revoke { value, issuer, .. } => fits(value) && issuer.as_deref().is_none_or(fits),
            Self::RotateKeys { model } | Self::EndWorkers { model, .. } => {
                model.as_deref().is_none_or(fits)
            }
        }
    }

    pub(super) fn revocation(&self) -> Option<Revocation> {
        let Self::Revoke { kind, value, issuer, until_s } = self else { return None };
        Some(Revocation {
            issuer: issuer.as_deref().map(Into::into),
            kind: (*kind).into(),
            value: value.as_str().into(),
            until_s: *until_s,
        })
    }
}

fn about_model(model: Option<&str>) -> String {
    model.map_or_else(|| "all models".to_owned(), |model| format!("model {model}"))
}

impl RevokedKind {
    /// What a value of this kind names; an issuer's key names nobody. A `sub` may be meant of several
    /// issuers, so it is not the name of one person, as it is in decisions.
    fn name(self, value: &str) -> Option<Name<'_>> {
        match self {
            Self::Jti => Some(Name::TokenId(value)),
            Self::Sub => Some(Name::Order(value)),
            Self::ClientId => Some(Name::ClientId(value)),
            Self::Kid => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Jti => "jti",
            Self::Sub => "sub",
            Self::ClientId => "client_id",
            Self::Kid => "kid",
        }
    }
}

impl From<RevokedKind> for RevocationKind {
    fn from(kind: RevokedKind) -> Self {
        match kind {
            RevokedKind::Jti => Self::TokenId,
            RevokedKind::Sub => Self::Subject,
            RevokedKind::ClientId => Self::ClientId,
            RevokedKind::Kid => Self::KeyId,
        }
    }
}

impl From<RevocationKind> for RevokedKind {
    fn from(kind: RevocationKind) -> Self {
        match kind {
            RevocationKind::TokenId => Self::Jti,
            RevocationKind::Subject => Self::Sub,
            RevocationKind::ClientId => Self::ClientId,
            RevocationKind::KeyId => Self::Kid,
        }
    }
}

/// The orders in force: shown to people, and kept over a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Whether everybody is refused.
    pub locked_down: bool,
    /// The models that everybody is refused.
    pub stopped_models: BTreeSet<String>,
    /// The measurements and builds whose workers get no session.
    #[serde(default)]
    pub revoked_measurements: BTreeSet<String>,
    /// What no longer counts.
    pub revoked: Vec<RevokedEntry>,
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedEntry {
    /// What is named.
    pub kind: RevokedKind,
    /// Its value.
    pub value: String,
    /// Of which issuer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<String>,
    /// Until when, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until_s: Option<u64>,
}

impl Standing {
    pub(super) fn new(stopped: &Stopped, revoked: &[Revocation]) -> Self {
        let mut revoked: Vec<_> = revoked.iter().map(RevokedEntry::from).collect();
        revoked.sort_by(|a, b| (a.kind.as_str(), &a.value).cmp(&(b.kind.as_str(), &b.value)));
        Self {
            locked_down: stopped.everything,
            stopped_models: stopped.models.clone(),
            revoked_measurements: stopped.measurements.clone(),
            revoked,
        }
    }
}

impl From<&Revocation> for RevokedEntry {
    fn from(revocation: &Revocation) -> Self {
        Self {
            kind: revocation.kind.into(),
            value: revocation.value.to_string(),
            issuer: revocation.issuer.as_deref().map(str::to_owned),
            until_s: revocation.until_s,
        }
    }
}

impl From<RevokedEntry> for Revocation {
    fn from(entry: RevokedEntry) -> Self {
        Self {
            issuer: entry.issuer.as_deref().map(Into::into),
            kind: entry.kind.into(),
            value: entry.value.as_str().into(),
            until_s: entry.until_s,
        }
    }
}

const TEXT_BYTES_MAX: usize = 256;
