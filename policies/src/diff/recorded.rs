//! A decision as the audit log keeps it.

use std::sync::Arc;

use ipnet::IpNet;

use crate::ask::{Action, Mode, Protocol};
use crate::caller::{Caller, Named, Standing};
use crate::set::{PolicyDigest, PolicySet};
use crate::token::{Supposed, TokenRefusal};

/// A recorded decision, in the record's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The token's `iss`.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
    /// The token's `client_id`.
    pub client_id: Option<String>,
    /// The token's `jti`.
    pub token_id: Option<String>,
    /// The declared tenant.
    pub tenant: Option<String>,
    /// The declared groups.
    pub groups: Vec<String>,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The clearance, in digits.
    pub clearance: Option<String>,
    /// How old the token was; 0 also when it did not say.
    pub token_age_s: u64,
    /// The caller's network, such as `192.0.2.0/24`.
    pub network: String,
    /// What was to be done.
    pub action: String,
    /// How the request was sealed.
    pub mode: Mode,
    /// The model.
    pub model: String,
    /// The version, if one was asked for.
    pub version: Option<String>,
    /// In which protocol it came.
    pub protocol: String,
    /// How many rows were reserved; 0 when none were.
    pub rows_reserved: u32,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The rules that decided.
    pub rules: Vec<String>,
    /// When it was recorded, in seconds since 1970: shortly after it was decided.
    pub time_s: u64,
    /// The digest of the folder that decided, in hex.
    pub policy_digest: String,
}

impl Recorded {
    /// `None` for what rules about models do not decide.
    pub(super) fn action(&self) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.as_str() == self.action)
    }

    pub(super) fn protocol(&self) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == self.protocol)
    }

    pub(super) fn network(&self) -> Option<IpNet> {
        self.network.parse().ok()
    }

    /// What no folder could do without.
    pub(super) fn lacks(&self, old: PolicyDigest) -> Vec<String> {
        let mut lacks = Vec::new();
        if self.policy_digest != old.hex() {
            lacks.push("the token: another folder than the old one read it".to_owned());
        }
        if self.texts().any(|text| text.ends_with(CUT)) {
            lacks.push("the whole of a text that was cut".to_owned());
        }
        if self.clearance().is_none() {
            lacks.push("the clearance".to_owned());
        }
        if self.protocol().is_none() {
            lacks.push("the protocol".to_owned());
        }
        if self.network().is_none() {
            lacks.push("the network".to_owned());
        }
        lacks
    }

    /// The caller at the time `now_s`, with a token of the recorded age.
    pub(super) fn caller(&self, policy: &PolicySet, now_s: u64) -> Result<Caller, TokenRefusal> {
        let issuer = policy.issuers.get(&*self.issuer).ok_or(TokenRefusal::Issuer)?;
        let supposed = Supposed {
            issuer: issuer.name.to_string(),
            sub: self.subject.clone(),
            client_id: self.client_id.clone(),
            jti: self.token_id.clone(),
            claims: std::collections::BTreeMap::new(),
        };
        let (_, times) = supposed.claims(issuer, self.token_age_s, now_s)?;
        let caller =
            Caller::recorded(issuer, self.named(), self.standing(), times, policy.digest())?;
        policy.must_not_be_revoked(&caller, now_s)?;
        Ok(caller)
    }

    fn named(&self) -> Named {
        Named {
            subject: self.subject.as_str().into(),
            client_id: self.client_id.as_deref().map(Arc::from),
            token_id: self.token_id.as_deref().map(Arc::from),
        }
    }

    fn standing(&self) -> Standing {
        Standing {
            tenant: self.tenant.as_deref().map(Arc::from),
            groups: self.groups.iter().map(|group| Arc::from(&**group)).collect(),
            scopes: self.scopes.iter().map(|scope| Arc::from(&**scope)).collect(),
            clearance: self.clearance().unwrap_or(i64::MIN),
        }
    }

    fn clearance(&self) -> Option<i64> {
        self.clearance.as_deref()?.parse().ok()
    }

    fn texts(&self) -> impl Iterator<Item = &String> {
        let options = [&self.client_id, &self.token_id, &self.tenant, &self.version];
        [&self.issuer, &self.subject, &self.model]
            .into_iter()
            .chain(options.into_iter().flatten())
            .chain(&self.groups)
            .chain(&self.scopes)
    }
}

/// How the record ends what it had no room for.
const CUT: char = '…';
