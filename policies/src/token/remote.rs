//! Issuers whose keys are fetched: which there are, and how keys get in. Nothing here fetches.

use std::sync::{Arc, Weak};

use super::keys::{IssuerKeys, RemoteKeys};
use super::verify::unverified_issuer;
use crate::mistake::Mistakes;
use crate::set::PolicySet;
use crate::tables::Issuer;

/// An issuer of one policy set whose keys lie at an address (`jwks_url`), and the way to hand them
/// in. It does not keep the set alive.
#[derive(Clone)]
pub struct RemoteIssuer {
    name: Arc<str>,
    issuer: Arc<str>,
    jwks_url: Arc<str>,
    keys: Weak<RemoteKeys>,
}

impl RemoteIssuer {
    /// Its short name in `issuers.toml`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The exact value of `iss`. Keys belong to it and the address together: a folder that changes
    /// either asks for other keys.
    pub fn issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    /// Where its JWK set lies: `https://..`.
    pub fn jwks_url(&self) -> &Arc<str> {
        &self.jwks_url
    }

    /// Replaces the issuer's keys by those of a JWK set (RFC 7517). Callers who came in with a key
    /// that is not among them no longer count.
    ///
    /// # Errors
    ///
    /// What is wrong with the set; the keys are then as they were. On success: what somebody
    /// should look at.
    pub fn set_keys(&self, jwks: &str) -> Result<Mistakes, Mistakes> {
        match self.keys.upgrade() {
            Some(keys) => keys.replace(jwks),
            None => Ok(Mistakes::default()),
        }
    }

    /// Takes all of the issuer's keys away: they are too old to be believed.
    pub fn forget_keys(&self) {
        if let Some(keys) = self.keys.upgrade() {
            keys.forget();
        }
    }

    /// Whether the policy set that it belongs to is no more.
    pub fn is_gone(&self) -> bool {
        self.keys.strong_count() == 0
    }
}

impl PolicySet {
    /// Issuers whose keys somebody must fetch and hand in. Until then none of their tokens counts.
    pub fn remote_issuers(&self) -> impl Iterator<Item = RemoteIssuer> {
        self.issuers.values().filter_map(remote)
    }

    /// The remote issuer that a token **claims** to be from. Nothing is verified: good for finding
    /// out whose keys to fetch, and for nothing else.
    pub fn claimed_remote_issuer(&self, token: &str) -> Option<RemoteIssuer> {
        remote(self.issuers.get(&*unverified_issuer(token)?)?)
    }
}

fn remote(issuer: &Issuer) -> Option<RemoteIssuer> {
    match &issuer.keys {
        IssuerKeys::InFolder(_) => None,
        IssuerKeys::Remote(keys) => Some(RemoteIssuer {
            name: Arc::clone(&issuer.name),
            issuer: Arc::clone(&issuer.issuer),
            jwks_url: Arc::clone(&keys.url),
            keys: Arc::downgrade(keys),
        }),
    }
}
