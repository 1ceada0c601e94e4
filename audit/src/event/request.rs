//! Events in the life of a request. None has a place for a payload or for anything derived from one.

use super::cost::{Charge, Usage};
use crate::text::{Text, Texts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An authenticated caller's request was allowed or denied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What was asked for, such as `infer`.
    pub action: Text,
    /// The caller's network, already cut by the one who records it.
    pub address: Text,
    /// The budget that was spent, if that is why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<Text>,
    /// Who asked.
    pub caller: Caller,
    /// SHA-256 of the candidate policies that were evaluated beside, in hex. Where they say
    /// otherwise, a `candidate_differed` record of the same request stands before this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub candidate_digest: Option<Text>,
    /// What was taken from budgets, if prices are in force. Without an outcome, so much is spent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub charge: Option<Charge>,
    /// The stable reason code.
    pub code: Text,
    /// What the decision rested on.
    pub inputs: Inputs,
    /// The limits that apply.
    pub limit_profile: Text,
    /// Who sealed the request.
    pub mode: Mode,
    /// The model as the caller named it.
    pub model: Text,
    /// SHA-256 of the file of the version that is to answer, in hex; none where the request got to
    /// no version. A client's own seal may choose another one, which the outcome says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model_digest: Option<Text>,
    /// The version, if one was named.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model_version: Option<Text>,
    /// SHA-256 of the policies in force, in hex.
    pub policy_digest: Text,
    /// The protocol the caller spoke.
    pub protocol: Text,
    /// How much of an answer may leave the worker.
    pub release_profile: Text,
    /// The gateway's 128-bit id of the request, in hex.
    pub request_id: Text,
    /// How many rows were taken from the caller's allowance.
    pub rows_reserved: u32,
    /// Ids of the rules that decided.
    pub rules: Texts,
    /// The decision itself.
    pub verdict: Verdict,
}

/// Who asked, by the words of a verified token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// The program that asked, if the token names one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_id: Option<Text>,
    /// Who issued the token.
    pub issuer: Text,
    /// Whom it speaks of.
    pub subject: Text,
    /// Whose data and allowance this is.
    pub tenant: Text,
    /// The token's own id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token_id: Option<Text>,
}

/// What a decision rested on beside the caller's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// The caller's clearance, if the token has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clearance: Option<Text>,
    /// The caller's groups.
    pub groups: Texts,
    /// What the token may be used for.
    pub scopes: Texts,
    /// Seconds since the token was issued.
    pub token_age_s: u32,
}

/// The candidate policies, which nobody enforces, would have decided a request otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateDiffered {
    /// SHA-256 of the candidate policies, in hex.
    pub candidate_digest: Text,
    /// The reason code they give.
    pub code: Text,
    /// The limits they would apply.
    pub limit_profile: Text,
    /// How much of an answer they would let leave the worker.
    pub release_profile: Text,
    /// The gateway's 128-bit id of the request, in hex.
    pub request_id: Text,
    /// Ids of the rules that would have decided.
    pub rules: Texts,
    /// What they say.
    pub verdict: Verdict,
}

/// A worker provably did not begin with a request, and it was sealed anew for a worker: another grant
/// under the same decision. Nothing more is reserved or charged for it. On record before it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retried {
    /// For how many milliseconds the new grant is valid at most.
    pub grant_valid_ms: u32,
    /// SHA-256 of the keyset of the worker that did not begin with it, in hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keyset_digest: Option<Text>,
    /// The id of the decision this belongs to.
    pub request_id: Text,
    /// How that is known: `busy`, by the worker's own authenticated word; `unsent`, for the worker
    /// was gone before anything was given to its socket.
    pub why: Text,
}

/// What became of an allowed request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The stable result code.
    pub code: Text,
    /// SHA-256 of the keyset of the worker that answered, in hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keyset_digest: Option<Text>,
    /// The answer's length, rounded so that it says little.
    pub length_class: Text,
    /// SHA-256 of the file of the model that answered, in hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model_digest: Option<Text>,
    /// SHA-256 over request id and receipt, in hex: a receipt shows that it belongs here, and
    /// nobody finds it from here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receipt_digest: Option<Text>,
    /// The id of the decision this belongs to.
    pub request_id: Text,
    /// Rows the worker says it scored.
    pub rows: u32,
    /// Microseconds spent, by stage.
    pub stages_us: BTreeMap<Text, u32>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What it used, if that is known; if not, all that was reserved is spent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub usage: Option<Usage>,
}

/// Requests of one second that were refused for one reason before anyone was authenticated.
///
/// Holds no text from the requests, and there is one record for a reason and a second, so a flood
/// can neither write what it likes nor fill the disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// How many there were.
    pub count: u32,
    /// The stable reason code.
    pub reason: Text,
    /// The second, counted from the Unix epoch.
    pub second: u64,
}

/// Allowed or denied.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The request may go on to a worker.
    Allow,
    /// The request ends here.
    Deny,
}

/// Who sealed the request to the worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// The gateway, on the caller's behalf.
    GatewaySealed,
    /// The caller; the gateway saw ciphertext only.
    ClientSealed,
}
