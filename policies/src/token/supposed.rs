//! What a token would say that nobody has made: for tests of policies and for explanations.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Claims, Times, TokenRefusal};
use crate::tables::Issuer;

/// A caller as an admin describes him: by what a token of an issuer would say of him.
///
/// What only a real token can show (signature, audience, type) is taken as given. Everything else
/// is read by the code that reads real tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supposed {
    /// The issuer's name in `issuers.toml`.
    pub issuer: String,
    /// The token's `sub`.
    pub sub: String,
    /// The token's `client_id`.
    pub client_id: Option<String>,
    /// The token's `jti`.
    pub jti: Option<String>,
    /// Its other claims, by name.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
}

impl Supposed {
    /// A claim that has a field of its own and so must not stand among the others.
    pub fn misplaced_claim(&self) -> Option<&str> {
        OWN_FIELDS.into_iter().find(|name| self.claims.contains_key(*name))
    }

    /// Through the same door as a real token's claims.
    pub(crate) fn claims(
        &self,
        issuer: &Issuer,
        token_age_s: u64,
        now_s: u64,
    ) -> Result<(Claims, Times), TokenRefusal> {
        let issued_at_s = now_s.saturating_sub(token_age_s);
        let latest_s = issued_at_s.saturating_add(issuer.lifetime_max_s);
        let mut claims = self.claims.clone();
        let mut say = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
        say("iss", json!(&*issuer.issuer));
        say("sub", json!(self.sub));
        say("iat", json!(issued_at_s));
        say("exp", json!(latest_s.min(now_s.saturating_add(LEFT_S))));
        if let Some(client_id) = &self.client_id {
            say("client_id", json!(client_id));
        }
        if let Some(jti) = &self.jti {
            say("jti", json!(jti));
        }
        let claims = Claims::parse(&URL_SAFE_NO_PAD.encode(json!(claims).to_string()))?;
        let times = claims.times(issuer, now_s)?;
        Ok((claims, times))
    }
}

const OWN_FIELDS: [&str; 6] = ["client_id", "exp", "iat", "iss", "jti", "sub"];
/// How long it is still valid: long enough not to matter.
const LEFT_S: u64 = 60;
