//! What the record says of versions: which came into service, which left it, which were refused.

use std::sync::Arc;

use sealgate_audit::{Event, VersionRefused, VersionServed, VersionWithdrawn};

use super::scan::Key;
use crate::models::Artifact;
use crate::served::Served;

/// That `new` comes into service; `before` is its model as it is served until then.
pub(super) fn served(new: &Artifact, before: Option<Arc<Served>>) -> Event {
    let own = |served: Arc<Served>| {
        let mut versions = served.versions().iter().map(|version| version.artifact());
        versions.find(|one| one.version == new.version).map(|one| hex::encode(one.digest).into())
    };
    Event::VersionServed(VersionServed {
        model: new.name.as_str().into(),
        model_digest: hex::encode(new.digest).into(),
        replaces: before.and_then(own),
        version: new.version.as_str().into(),
    })
}

pub(super) fn withdrawn(version: &Artifact) -> Event {
    Event::VersionWithdrawn(VersionWithdrawn {
        model: version.name.as_str().into(),
        model_digest: hex::encode(version.digest).into(),
        version: version.version.as_str().into(),
    })
}

pub(super) fn refused((model, version): &Key, why: &str) -> Event {
    Event::VersionRefused(VersionRefused {
        model: model.as_str().into(),
        version: version.as_str().into(),
        why: why.into(),
    })
}
