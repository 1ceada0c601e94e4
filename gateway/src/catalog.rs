//! Which models and versions a caller knows of: those that it may describe. Of another one it cannot
//! tell whether it is forbidden or not there. Who may operate the gateway also sees what was refused.

use sealgate_policies::{Action, Ask, GatewayAction, GatewayAsk, GatewayDecision, Mode, Protocol};

use crate::app::App;
use crate::routes::Authenticated;
use crate::served::by_age;

/// What the record calls a look at the list.
pub const ACTION: &str = "list_models";

/// A name that no model can have: `/v2/models/stats` is about all of them.
pub const RESERVED: &str = "stats";

/// A version of a model on the list.
pub struct Entry {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// SHA-256 of its artifact, in hex, of one that is served.
    pub digest: Option<String>,
    /// How far it has got.
    pub state: State,
    /// Why it is not served.
    pub reason: String,
}

/// How far a version has got, in the words of Triton's index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Ready,
    /// Its worker is being started.
    Loading,
    /// It was refused.
    Unavailable,
}

impl State {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Loading => "LOADING",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// The versions that the caller may describe over `protocol`, by name and age.
pub fn seen_by(app: &App, caller: &Authenticated, protocol: Protocol) -> Vec<Entry> {
    let mut entries: Vec<_> = there(app)
        .into_iter()
        .filter(|entry| may_describe(app, caller, protocol, entry))
        .chain(refused(app, caller))
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| by_age(&a.version, &b.version)));
    // What is to take the place of a version that answers stands behind it.
    entries.dedup_by(|new, old| {
        let same = new.name == old.name && new.version == old.version;
        if same {
            old.reason.push_str(&new.reason);
        }
        same
    });
    entries
}

/// What is served, then what is on its way.
fn there(app: &App) -> Vec<Entry> {
    let models = app.models.all();
    let versions = models.iter().flat_map(|served| served.versions());
    let served = versions.map(|version| {
        let state = if version.is_ready() { State::Ready } else { State::Loading };
        let artifact = version.artifact();
        let digest = Some(hex::encode(artifact.digest));
        Entry { digest, ..entry(&artifact.name, &artifact.version, state) }
    });
    let coming = app.repository.as_ref().and_then(|repository| repository.loading());
    served.chain(coming.map(|(name, version)| entry(&name, &version, State::Loading))).collect()
}

fn entry(name: &str, version: &str, state: State) -> Entry {
    let (name, version, reason) = (name.to_owned(), version.to_owned(), String::new());
    Entry { name, version, digest: None, state, reason }
}

fn may_describe(app: &App, caller: &Authenticated, protocol: Protocol, entry: &Entry) -> bool {
    let ask = Ask {
        model: &entry.name,
        version: Some(&entry.version),
        action: Action::DescribeModel,
        mode: Mode::GatewaySealed,
        protocol,
        address: caller.address.0,
        rows: None,
        now_s: caller.now_s,
    };
    let stopped = app.emergency.stops_model(&entry.name);
    !stopped && caller.verified.decide(&caller.policy.set, &ask).is_ok()
}

/// What lies in the repository and is not served, for those who may see the gateway's standing.
fn refused(app: &App, caller: &Authenticated) -> Vec<Entry> {
    let (address, now_s) = (caller.address.0, caller.now_s);
    let ask = GatewayAsk { action: GatewayAction::ReloadPolicies, address, now_s };
    let decided = caller.verified.decide_gateway(&caller.policy.set, &ask);
    let (GatewayDecision::Allowed(_), Some(repository)) = (decided, &app.repository) else {
        return Vec::new();
    };
    let refused = repository.refused().into_iter();
    let state = State::Unavailable;
    let told = |((name, version), reason)| Entry { name, version, digest: None, state, reason };
    refused.map(told).collect()
}

/// Of those on the list, those that can be asked.
pub fn served(seen: Vec<Entry>) -> impl Iterator<Item = Entry> {
    seen.into_iter().filter(|entry| entry.state != State::Unavailable)
}
