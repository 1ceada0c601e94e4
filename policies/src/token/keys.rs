//! An issuer's keys: from a file of the folder, or fetched and replaced while the folder stands.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::jwks::{TokenKey, keys_from_jwks};
use crate::mistake::{Mistakes, Place};
use crate::set::Profile;
use crate::tables::SigningAlgorithm;

/// Keys by `kid`.
pub(crate) type KeySet = HashMap<Arc<str>, Arc<TokenKey>>;

/// What tokens of one issuer are checked with.
pub(crate) enum IssuerKeys {
    /// `jwks`: they change with the folder alone.
    InFolder(KeySet),
    /// `jwks_url`: none until somebody has fetched them.
    Remote(Arc<RemoteKeys>),
}

/// Keys that whoever may open a connection fetches; this crate may not.
pub(crate) struct RemoteKeys {
    pub(crate) url: Arc<str>,
    algorithms: Vec<SigningAlgorithm>,
    profile: Profile,
    current: ArcSwap<KeySet>,
}

impl IssuerKeys {
    pub(crate) fn remote(url: &str, algorithms: Vec<SigningAlgorithm>, profile: Profile) -> Self {
        let current = ArcSwap::default();
        Self::Remote(Arc::new(RemoteKeys { url: url.into(), algorithms, profile, current }))
    }

    pub(crate) fn key(&self, kid: &str) -> Option<Arc<TokenKey>> {
        match self {
            Self::InFolder(keys) => keys.get(kid).cloned(),
            Self::Remote(remote) => remote.current.load().get(kid).cloned(),
        }
    }

    /// Whether a key that counted before still does: the same key, not one that has taken its name.
    pub(crate) fn still_have(&self, kid: &str, key: &TokenKey) -> bool {
        match self {
            // Another folder has another digest, and its callers are asked for anew.
            Self::InFolder(_) => true,
            Self::Remote(remote) => {
                remote.current.load().get(kid).is_some_and(|current| current.is(key))
            }
        }
    }
}

impl RemoteKeys {
    /// Replaces all keys, or none when the text has a mistake or no key that can be used.
    pub(crate) fn replace(&self, text: &str) -> Result<Mistakes, Mistakes> {
        let mut mistakes = Mistakes::default();
        let place = Place::file(&self.url);
        let keys = keys_from_jwks(place, text, &self.algorithms, self.profile, &mut mistakes);
        if keys.is_empty() && !mistakes.stop_the_folder() {
            mistakes.error(place, "holds no key that could be used");
        }
        let mistakes = mistakes.sorted();
        if mistakes.stop_the_folder() {
            return Err(mistakes);
        }
        self.current.store(Arc::new(keys));
        Ok(mistakes)
    }

    pub(crate) fn forget(&self) {
        self.current.store(Arc::default());
    }
}
