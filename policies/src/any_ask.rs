//! What a caller asks, of a model or of the gateway itself: tests of policies and explanations are
//! about both.

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, de};

use crate::ask::{Action, Ask, GatewayAction, GatewayAsk};

/// One request, to a model or to the gateway itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnyAsk<'a> {
    /// Something is to be done with a model.
    Model(Ask<'a>),
    /// Something is asked of the gateway itself.
    Gateway(GatewayAsk),
}

impl AnyAsk<'_> {
    /// When, in seconds since 1970.
    pub fn now_s(&self) -> u64 {
        match self {
            Self::Model(ask) => ask.now_s,
            Self::Gateway(ask) => ask.now_s,
        }
    }
}

impl<'a> From<Ask<'a>> for AnyAsk<'a> {
    fn from(ask: Ask<'a>) -> Self {
        Self::Model(ask)
    }
}

impl From<GatewayAsk> for AnyAsk<'_> {
    fn from(ask: GatewayAsk) -> Self {
        Self::Gateway(ask)
    }
}

/// What can be done with a model, or asked of the gateway itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyAction {
    /// With a model.
    Model(Action),
    /// Of the gateway.
    Gateway(GatewayAction),
}

impl AnyAction {
    /// Every action, in the order of the schema.
    pub fn all() -> impl Iterator<Item = Self> {
        let models = Action::ALL.map(Self::Model);
        models.into_iter().chain(GatewayAction::ALL.map(Self::Gateway))
    }

    /// The action of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|action| action.as_str() == name)
    }

    /// Its name in rules and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model(action) => action.as_str(),
            Self::Gateway(action) => action.as_str(),
        }
    }
}

impl<'de> Deserialize<'de> for AnyAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| de::Error::unknown_variant(&name, &NAMES))
    }
}

static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| AnyAction::all().map(AnyAction::as_str).collect());
