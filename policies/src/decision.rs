//! What a decision yields: a permit that carries its obligations, or a denial that says little.

use std::borrow::Cow;
use std::sync::Arc;

use crate::ask::{Action, GatewayAction, Mode};
use crate::set::PolicyDigest;
use crate::tables::{LimitProfile, Model, ReleaseProfile};

/// The outcome of [`PolicySet::decide`](crate::PolicySet::decide).
#[derive(Debug)]
pub enum Decision {
    /// Go ahead, within the permit's obligations.
    Allowed(Permit),
    /// Do not.
    Denied(Denial),
}

/// Proof that a caller may do one thing with one model. Only deciding makes one.
#[derive(Debug)]
pub struct Permit {
    pub(crate) model: Arc<Model>,
    pub(crate) version: Option<String>,
    pub(crate) action: Action,
    pub(crate) mode: Mode,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) release: Arc<ReleaseProfile>,
    pub(crate) limits: Arc<LimitProfile>,
    pub(crate) rules: Vec<Arc<str>>,
    pub(crate) policy: PolicyDigest,
}

impl Permit {
    /// The model, and with it the fields a request may carry.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The version that was asked for.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What may be done.
    pub fn action(&self) -> Action {
        self.action
    }

    /// How the request is sealed.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The caller's tenant.
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// How much of the answer leaves the worker: the strictest of the deciding rules' profiles.
    pub fn release(&self) -> &Arc<ReleaseProfile> {
        &self.release
    }

    /// How much may be asked: as strict as each of the deciding rules' profiles.
    pub fn limits(&self) -> &Arc<LimitProfile> {
        &self.limits
    }

    /// The ids of the rules that permitted it, sorted.
    pub fn rules(&self) -> &[Arc<str>] {
        &self.rules
    }

    /// The folder that decided.
    pub fn policy(&self) -> PolicyDigest {
        self.policy
    }
}

/// The outcome of [`PolicySet::decide_gateway`](crate::PolicySet::decide_gateway).
#[derive(Debug)]
pub enum GatewayDecision {
    /// Go ahead.
    Allowed(GatewayPermit),
    /// Do not.
    Denied(Denial),
}

/// Proof that a caller may ask one thing of the gateway itself. Only deciding makes one.
#[derive(Debug)]
pub struct GatewayPermit {
    pub(crate) action: GatewayAction,
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) rules: Vec<Arc<str>>,
    pub(crate) policy: PolicyDigest,
}

impl GatewayPermit {
    /// What may be done.
    pub fn action(&self) -> GatewayAction {
        self.action
    }

    /// The caller's tenant.
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// The ids of the rules that permitted it, sorted.
    pub fn rules(&self) -> &[Arc<str>] {
        &self.rules
    }

    /// The folder that decided.
    pub fn policy(&self) -> PolicyDigest {
        self.policy
    }
}

/// A refusal. The caller learns [`public_code`](Self::public_code) and nothing else; the audit
/// log learns the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub(crate) code: Cow<'static, str>,
    pub(crate) rules: Vec<Arc<str>>,
    pub(crate) policy: PolicyDigest,
}

impl Denial {
    /// What the caller is told: always the same, so that an unknown model cannot be told from a
    /// forbidden one.
    pub fn public_code(&self) -> &'static str {
        "forbidden"
    }

    /// Why, for the audit log: the `@code` of the deciding rule, or
    /// `not_permitted`, `model_unknown`, `evaluation_error`, `mode_not_allowed`,
    /// `policy_changed` or `forbidden_by_rule`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The ids of the rules that forbade it or failed, sorted.
    pub fn rules(&self) -> &[Arc<str>] {
        &self.rules
    }

    /// The folder that decided.
    pub fn policy(&self) -> PolicyDigest {
        self.policy
    }
}

/// No rule permits it.
pub(crate) const NOT_PERMITTED: &str = "not_permitted";
/// No such model, or no such version of it.
pub(crate) const MODEL_UNKNOWN: &str = "model_unknown";
/// A rule could not be evaluated. Cedar would skip it, and with it perhaps a `forbid`.
pub(crate) const EVALUATION_ERROR: &str = "evaluation_error";
/// The model's table does not allow this way of sealing.
pub(crate) const MODE_NOT_ALLOWED: &str = "mode_not_allowed";
/// The caller was authenticated under another version of the folder.
pub(crate) const POLICY_CHANGED: &str = "policy_changed";
/// A `forbid` without `@code` decided.
pub(crate) const FORBIDDEN_BY_RULE: &str = "forbidden_by_rule";

/// Codes that a rule's `@code` may not take.
pub(crate) const RESERVED_CODES: [&str; 6] = [
    NOT_PERMITTED,
    MODEL_UNKNOWN,
    EVALUATION_ERROR,
    MODE_NOT_ALLOWED,
    POLICY_CHANGED,
    FORBIDDEN_BY_RULE,
];
