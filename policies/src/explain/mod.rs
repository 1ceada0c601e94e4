//! Why something is allowed or denied: every rule of the folder, part by part.
//!
//! The verdict is [`PolicySet::decide`]'s own, or [`PolicySet::decide_gateway`]'s. The parts are looked at one by one beside it, and
//! tests hold the two together: what the parts come to is always what was decided.

mod grants;
mod words;

use std::sync::Arc;

use serde::Serialize;

use crate::any_ask::AnyAsk;
use crate::ask::{Ask, GatewayAsk};
use crate::caller::Caller;
use crate::decision::{Decision, Denial, GatewayDecision};
use crate::folder::Folder;
use crate::rules::{Found, Looked, Resource, Written};
use crate::set::PolicySet;
use crate::tables::Model;
use crate::token::{Supposed, TokenRefusal};

pub use grants::{Grant, Granted};

/// Why one request of one caller is allowed or denied. Displayed in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Who asks, as the policy sees him.
    pub caller: Who,
    /// What he asks.
    pub ask: Asked,
    /// Whether there is such a model, version and way of sealing; `None` when it is asked of the
    /// gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelFound>,
    /// Every rule of the folder, by file and place; none when there is no such model.
    pub rules: Vec<RuleFound>,
    /// `allow` or `deny`.
    pub verdict: &'static str,
    /// The code that the record of a denial has.
    pub code: Option<String>,
    /// The ids of the rules that decided, sorted.
    pub decided_by: Vec<String>,
    /// What a permit to use a model grants.
    pub granted: Option<Granted>,
}

/// A caller as the policy sees him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// The issuer's name in `issuers.toml`.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
    /// The declared tenant that the issuer may speak for, if the token names one.
    pub tenant: Option<String>,
    /// The declared groups.
    pub groups: Vec<String>,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The highest clearance of group or token.
    pub clearance: i64,
    /// How old the token is; `None` when it does not say.
    pub token_age_s: Option<u64>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// What to do.
    pub action: &'static str,
    /// What only a request to a model has; `None` when it is asked of the gateway.
    #[serde(flatten)]
    pub of_model: Option<AskedOfModel>,
    /// The client's address.
    pub address: String,
    /// When, in seconds since 1970.
    pub time_s: u64,
}

/// What is asked of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedOfModel {
    /// The model's name.
    pub model: String,
    /// The version, if one was asked for.
    pub version: Option<String>,
    /// How the request is sealed.
    pub mode: &'static str,
    /// In which protocol it came.
    pub protocol: &'static str,
    /// The announced rows.
    pub rows: Option<u32>,
}

/// What stands outside of the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "found")]
pub enum ModelFound {
    /// It is declared.
    Declared {
        /// The tenant that owns it.
        owner: String,
        /// The clearance that its level asks for.
        sensitivity: i64,
        /// How requests to it may be sealed.
        modes: Vec<&'static str>,
        /// Whether this one may be sealed as it is.
        mode_allowed: bool,
    },
    /// It is declared, but not with the version that was asked for.
    VersionUnknown {
        /// The declared versions.
        versions: Vec<String>,
    },
    /// No such model is declared.
    Unknown {
        /// The models that are.
        declared: Vec<String>,
    },
}

/// What came of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleFound {
    /// Its `@id`.
    pub id: String,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// Its file.
    pub file: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// What came of it as a whole.
    pub came: Came,
    /// Principal, action and resource of its head, then each clause.
    pub parts: Vec<PartFound>,
}

/// What came of a rule as a whole. Cedar reads a rule from left to right and stops at the first
/// part that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// Every part holds.
    Applies,
    /// A part fails before any errs.
    DoesNotApply,
    /// A part errs before any fails: whatever else is said, the request is denied.
    Errs,
}

/// What came of one part of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartFound {
    /// The part as it is written.
    pub text: String,
    /// What came of it, looked at alone.
    #[serde(flatten)]
    pub found: Found,
    /// Whether a part before it already kept the rule from applying.
    pub too_late: bool,
}

impl PolicySet {
    /// Explains what is decided for a caller whose token was checked. `folder` is the one that
    /// this set was made of: only its text knows the words of the rules.
    pub fn explain(&self, folder: &Folder, caller: &Caller, ask: &AnyAsk<'_>) -> Explanation {
        let written = Written::all(folder);
        let looked = self.look(&written, caller, ask);
        let decided = self.decided(&written, caller, ask);
        Explanation {
            caller: Who::of(caller, ask.now_s()),
            ask: Asked::of(ask),
            model: match ask {
                AnyAsk::Model(ask) => Some(self.model_found(ask)),
                AnyAsk::Gateway(_) => None,
            },
            rules: looked
                .iter()
                .filter_map(|(rule, looked)| Some(RuleFound::of(rule, looked.as_ref()?)))
                .collect(),
            verdict: if decided.code.is_none() { "allow" } else { "deny" },
            code: decided.code,
            decided_by: decided.by,
            granted: decided.granted,
        }
    }

    /// Explains what would be decided for a caller with a token of this age that says this.
    ///
    /// # Errors
    ///
    /// Such a token would not count: [`TokenRefusal::Issuer`] when there is no such issuer.
    pub fn explain_supposed(
        &self,
        folder: &Folder,
        supposed: &Supposed,
        token_age_s: u64,
        ask: &AnyAsk<'_>,
    ) -> Result<Explanation, TokenRefusal> {
        Ok(self.explain(folder, &self.suppose(supposed, token_age_s, ask.now_s())?, ask))
    }

    pub(crate) fn suppose(
        &self,
        supposed: &Supposed,
        token_age_s: u64,
        now_s: u64,
    ) -> Result<Caller, TokenRefusal> {
        let mut issuers = self.issuers.values();
        let issuer = issuers.find(|i| *i.name == *supposed.issuer).ok_or(TokenRefusal::Issuer)?;
        let (claims, times) = supposed.claims(issuer, token_age_s, now_s)?;
        let caller = Caller::supposed(&claims, times, issuer, &self.roles, self.digest)?;
        self.must_not_be_revoked(&caller, now_s)?;
        Ok(caller)
    }

    /// The names of the declared issuers, sorted.
    pub fn issuer_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.issuers.values().map(|issuer| &*issuer.name).collect();
        names.sort_unstable();
        names
    }

    fn decided(&self, written: &[Written], caller: &Caller, ask: &AnyAsk<'_>) -> Decided {
        match ask {
            AnyAsk::Model(ask) => match self.decide(caller, ask) {
                Decision::Denied(denial) => Decided::denied(&denial),
                Decision::Allowed(permit) => Decided {
                    granted: Some(Granted::of(&permit, written)),
                    ..Decided::allowed(permit.rules())
                },
            },
            AnyAsk::Gateway(ask) => match self.decide_gateway(caller, ask) {
                GatewayDecision::Denied(denial) => Decided::denied(&denial),
                GatewayDecision::Allowed(permit) => Decided::allowed(permit.rules()),
            },
        }
    }

    /// Each rule with what came of its parts, `None` where that cannot be told; no rules when
    /// there is no such model to look at.
    pub(crate) fn look<'a>(
        &self,
        written: &'a [Written],
        caller: &Caller,
        ask: &AnyAsk<'_>,
    ) -> Vec<(&'a Written, Option<Looked>)> {
        let Some(resource) = self.resource(ask) else { return Vec::new() };
        let look = |rule| (rule, self.rules.look(rule, caller, resource, ask));
        written.iter().map(look).collect()
    }

    fn resource(&self, ask: &AnyAsk<'_>) -> Option<&Resource> {
        let AnyAsk::Model(ask) = ask else { return Some(&self.gateway) };
        let (model, entity) = self.models.get(ask.model)?;
        model.has_version(ask.version).then_some(entity)
    }

    fn model_found(&self, ask: &Ask<'_>) -> ModelFound {
        match self.model(ask.model) {
            None => ModelFound::Unknown {
                declared: self.models().map(|model| model.name().to_string()).collect(),
            },
            Some(model) if !model.has_version(ask.version) => ModelFound::VersionUnknown {
                versions: model.versions().unwrap_or_default().to_vec(),
            },
            Some(model) => ModelFound::declared(model, ask),
        }
    }
}

/// A decision, of a model or of the gateway.
struct Decided {
    code: Option<String>,
    by: Vec<String>,
    granted: Option<Granted>,
}

impl Decided {
    fn allowed(rules: &[Arc<str>]) -> Self {
        Self { code: None, by: texts(rules), granted: None }
    }

    fn denied(denial: &Denial) -> Self {
        Self { code: Some(denial.code().to_owned()), by: texts(denial.rules()), granted: None }
    }
}

impl ModelFound {
    fn declared(model: &Model, ask: &Ask<'_>) -> Self {
        Self::Declared {
            owner: model.owner().to_string(),
            sensitivity: model.sensitivity(),
            modes: model.modes().iter().map(|mode| mode.as_str()).collect(),
            mode_allowed: model.modes().contains(&ask.mode),
        }
    }
}

impl Who {
    fn of(caller: &Caller, now_s: u64) -> Self {
        Self {
            issuer: caller.issuer_name().to_string(),
            subject: caller.subject().to_string(),
            tenant: caller.tenant().map(|tenant| tenant.to_string()),
            groups: texts(caller.groups()),
            scopes: texts(caller.scopes()),
            clearance: caller.clearance(),
            token_age_s: caller.issued_at_s().map(|at_s| now_s.saturating_sub(at_s)),
        }
    }
}

impl Asked {
    fn of(ask: &AnyAsk<'_>) -> Self {
        match ask {
            AnyAsk::Model(ask) => Self {
                action: ask.action.as_str(),
                of_model: Some(AskedOfModel::of(ask)),
                address: ask.address.to_canonical().to_string(),
                time_s: ask.now_s,
            },
            AnyAsk::Gateway(GatewayAsk { action, address, now_s }) => Self {
                action: action.as_str(),
                of_model: None,
                address: address.to_canonical().to_string(),
                time_s: *now_s,
            },
        }
    }
}

impl AskedOfModel {
    fn of(ask: &Ask<'_>) -> Self {
        Self {
            model: ask.model.to_owned(),
            version: ask.version.map(str::to_owned),
            mode: ask.mode.as_str(),
            protocol: ask.protocol.as_str(),
            rows: ask.rows,
        }
    }
}

impl RuleFound {
    fn of(rule: &Written, looked: &Looked) -> Self {
        let texts = rule.head.iter().chain(&rule.clauses).map(|part| &part.text);
        let found = looked.head.iter().chain(&looked.clauses);
        let mut too_late = false;
        let parts = texts.zip(found).map(|(text, found)| {
            let part = PartFound { text: text.clone(), found: found.clone(), too_late };
            too_late |= *found != Found::Holds;
            part
        });
        Self {
            id: rule.id.clone(),
            effect: if rule.permits() { "permit" } else { "forbid" },
            file: rule.file.clone(),
            line: rule.line,
            parts: parts.collect(),
            came: looked.came(),
        }
    }
}

impl Looked {
    pub(crate) fn came(&self) -> Came {
        match self.stopped_by() {
            None => Came::Applies,
            Some(Found::Errs(_)) => Came::Errs,
            Some(_) => Came::DoesNotApply,
        }
    }
}

fn texts(texts: &[Arc<str>]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}
