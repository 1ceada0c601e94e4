//! `tests/*.toml`: the shape of a case.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;
use toml::value::Datetime;

use super::time::{MONDAY_NOON_S, parse_time_s};
use crate::any_ask::{AnyAction, AnyAsk};
use crate::ask::{Ask, GatewayAsk, Mode, Protocol};
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
    pub(super) model: Option<String>,
    version: Option<String>,
    pub(super) action: AnyAction,
    mode: Option<Mode>,
    protocol: Option<Protocol>,
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
    /// `None` when something is asked of a model and none is named.
    pub(super) fn ask(&self) -> Option<AnyAsk<'_>> {
        Some(match self.action {
            AnyAction::Model(action) => AnyAsk::Model(Ask {
                model: self.model.as_deref()?,
                version: self.version.as_deref(),
                action,
                mode: self.mode.unwrap_or(Mode::GatewaySealed),
                protocol: self.protocol.unwrap_or(Protocol::V2),
                address: self.address,
                rows: self.rows,
                now_s: self.time,
            }),
            AnyAction::Gateway(action) => {
                AnyAsk::Gateway(GatewayAsk { action, address: self.address, now_s: self.time })
            }
        })
    }

    /// The first field that only a request to a model has.
    pub(super) fn of_models(&self) -> Option<&'static str> {
        let said = [
            ("model", self.model.is_some()),
            ("version", self.version.is_some()),
            ("mode", self.mode.is_some()),
            ("protocol", self.protocol.is_some()),
            ("rows", self.rows.is_some()),
        ];
        said.into_iter().find(|(_, said)| *said).map(|(name, _)| name)
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

/// RFC 5737: an address that nobody has, so that no rule about a network takes it for its own.
fn nowhere() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))
}

fn monday_noon() -> u64 {
    MONDAY_NOON_S
}
