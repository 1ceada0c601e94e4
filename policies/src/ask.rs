//! What a caller wants to do.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

/// One request, as far as deciding needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask<'a> {
    /// The model's name, as the client wrote it.
    pub model: &'a str,
    /// The version, if the client asked for one.
    pub version: Option<&'a str>,
    /// What to do with it.
    pub action: Action,
    /// How the request is sealed.
    pub mode: Mode,
    /// In which protocol it came.
    pub protocol: Protocol,
    /// The client's address.
    pub address: IpAddr,
    /// Rows that the client announced with `Sealgate-Rows`.
    pub rows: Option<u32>,
    /// Seconds since 1970, UTC.
    pub now_s: u64,
}

/// What can be done with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// Send rows, get outputs.
    Infer,
    /// See that it exists, its inputs and outputs, and its keys.
    DescribeModel,
}

impl Action {
    /// Every action, in the order of the schema.
    pub const ALL: [Self; 2] = [Self::Infer, Self::DescribeModel];

    /// Its name in rules and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::DescribeModel => "describe_model",
        }
    }
}

/// What can be asked of the gateway itself: what people do beside asking models.
///
/// A type of its own, so that no request to a model can be decided by a rule about people's
/// tasks, or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GatewayAction {
    /// Read the receipt of one's own request.
    ReadOwnReceipt,
    /// Read, query and export the audit log.
    ReviewAudit,
    /// See who used how much.
    ReadUsage,
    /// Have the policy folder read again.
    ReloadPolicies,
    /// Revoke, rotate keys, lock down.
    Emergency,
}

impl GatewayAction {
    /// Every action, in the order of the schema.
    pub const ALL: [Self; 5] = [
        Self::ReadOwnReceipt,
        Self::ReviewAudit,
        Self::ReadUsage,
        Self::ReloadPolicies,
        Self::Emergency,
    ];

    /// Its name in rules and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOwnReceipt => "read_own_receipt",
            Self::ReviewAudit => "review_audit",
            Self::ReadUsage => "read_usage",
            Self::ReloadPolicies => "reload_policies",
            Self::Emergency => "emergency",
        }
    }
}

/// One request to the gateway itself, as far as deciding needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayAsk {
    /// What to do.
    pub action: GatewayAction,
    /// The client's address.
    pub address: IpAddr,
    /// Seconds since 1970, UTC.
    pub now_s: u64,
}

/// Who seals the request to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The gateway does, after TLS.
    GatewaySealed,
    /// The client does; the gateway sees ciphertext.
    ClientSealed,
}

impl Mode {
    /// Its name in rules, tables and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GatewaySealed => "gateway-sealed",
            Self::ClientSealed => "client-sealed",
        }
    }
}

/// In which protocol a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protocol {
    /// Open Inference Protocol V2 over REST.
    V2,
    /// Open Inference Protocol V2 over gRPC.
    Grpc,
    /// TF-Serving and KServe V1.
    V1,
    /// `POST /invocations`.
    Invocations,
    /// Oblivious HTTP: what is inside is not the gateway's to know.
    Ohttp,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 5] = [Self::V2, Self::Grpc, Self::V1, Self::Invocations, Self::Ohttp];

    /// Its name in rules and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::Grpc => "grpc",
            Self::V1 => "v1",
            Self::Invocations => "invocations",
            Self::Ohttp => "ohttp",
        }
    }
}

/// All that a decision for one caller can depend on: equal keys, equal decisions.
///
/// Holds the value of every `context` attribute that a rule which applies to the caller, the
/// model and the action looks at. Made by
/// [`PolicySet::cache_key`](crate::PolicySet::cache_key).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DecisionKey {
    pub(crate) model: Arc<str>,
    pub(crate) version: Option<Box<str>>,
    pub(crate) action: Action,
    pub(crate) mode: Mode,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) address: Option<IpAddr>,
    pub(crate) rows: Option<Option<u32>>,
}
