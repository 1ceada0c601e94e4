//! `tests/*.toml`: the shape of a case, and what can be wrong with one.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use toml::value::Datetime;

use super::time::{MONDAY_NOON_S, parse_time_s};
use crate::ask::{Action, Ask, Mode, Protocol};
use crate::mistake::{Mistakes, Place};
use crate::set::PolicySet;
use crate::token::Supposed;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) case: Vec<Spanned<Case>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) caller: Supposed,
    pub(super) ask: CaseAsk,
    pub(super) expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseAsk {
    model: String,
    version: Option<String>,
    action: Action,
    #[serde(default = "gateway_sealed")]
    mode: Mode,
    #[serde(default = "v2")]
    protocol: Protocol,
    rows: Option<u32>,
    #[serde(default = "nowhere")]
    address: IpAddr,
    #[serde(default = "monday_noon", deserialize_with = "time")]
    time: u64,
    #[serde(default)]
    pub(super) token_age_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) verdict: Verdict,
    pub(super) code: Option<String>,
    pub(super) rules: Option<Vec<String>>,
    pub(super) release: Option<String>,
    pub(super) limits: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Allow,
    Deny,
}

impl Verdict {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl CaseAsk {
    pub(super) fn ask(&self) -> Ask<'_> {
        Ask {
            model: &self.model,
            version: self.version.as_deref(),
            action: self.action,
            mode: self.mode,
            protocol: self.protocol,
            address: self.address,
            rows: self.rows,
            now_s: self.time,
        }
    }
}

impl Case {
    /// A case about a model that is misspelt would be denied, and so seem to be met.
    pub(super) fn makes_sense(
        &self,
        policy: &PolicySet,
        place: Place<'_>,
        mistakes: &mut Mistakes,
    ) -> bool {
        let before = mistakes.len();
        let issuers = policy.issuer_names();
        let issuer = self.caller.issuer.as_str();
        if !self.is_about("token_issuer") && !issuers.contains(&issuer) {
            mistakes
                .error(place, format!("unknown issuer `{issuer}`"))
                .did_you_mean(issuer, issuers);
        }
        let model = self.ask.model.as_str();
        if !self.is_about("model_unknown") && policy.model(model).is_none() {
            mistakes
                .error(place, format!("unknown model `{model}`"))
                .did_you_mean(model, policy.models().map(|model| &**model.name()));
        }
        if let Some(claim) = self.caller.misplaced_claim() {
            mistakes.error(place, format!("`{claim}` stands among the other claims")).hint(
                "`issuer`, `sub`, `client_id` and `jti` stand beside `claims`, the token's age in `ask`",
            );
        }
        self.expectation_makes_sense(policy, place, mistakes);
        mistakes.len() == before
    }

    fn is_about(&self, code: &str) -> bool {
        self.expect.verdict == Verdict::Deny && self.expect.code.as_deref() == Some(code)
    }

    fn expectation_makes_sense(
        &self,
        policy: &PolicySet,
        place: Place<'_>,
        mistakes: &mut Mistakes,
    ) {
        let Expect { verdict, code, rules, release, limits } = &self.expect;
        match verdict {
            Verdict::Allow if code.is_some() => mistakes
                .error(place, "`code` says why something is denied, but `allow` is expected")
                .hint("leave it out, or expect `deny`"),
            Verdict::Deny if release.is_some() || limits.is_some() => mistakes
                .error(place, "`release` and `limits` are granted, but `deny` is expected")
                .hint("leave them out, or expect `allow`"),
            _ => {}
        }
        let ids = policy.rules.ids();
        for rule in rules.iter().flatten().filter(|rule| !ids.contains(&rule.as_str())) {
            mistakes
                .error(place, format!("unknown rule `{rule}`"))
                .did_you_mean(rule, ids.iter().copied());
        }
    }
}

/// A TOML date-time or the same as a text, with an offset.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Time(Datetime),
        Text(String),
    }
    let text = match Written::deserialize(deserializer) {
        Ok(Written::Time(time)) => time.to_string(),
        Ok(Written::Text(text)) => text,
        Err(_) => return Err(de::Error::custom(NO_TIME)),
    };
    parse_time_s(&text).ok_or_else(|| de::Error::custom(NO_TIME))
}

const NO_TIME: &str = "is not a time with an offset, such as 2026-11-23T10:00:00Z";

fn gateway_sealed() -> Mode {
    Mode::GatewaySealed
}

fn v2() -> Protocol {
    Protocol::V2
}

/// RFC 5737: an address that nobody has, so that no rule about a network takes it for its own.
fn nowhere() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))
}

fn monday_noon() -> u64 {
    MONDAY_NOON_S
}
