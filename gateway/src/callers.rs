//! Who is asking: tokens verified once and remembered by their full hash.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use quick_cache::sync::Cache;
use sealgate_audit as audit;
use sealgate_keys::Secret;
use sealgate_policies::{
    Ask, Caller, Decision, DecisionKey, Denial, Permit, PolicySet, TokenRefusal,
};
use sha2::{Digest, Sha256};

use crate::jwks::Jwks;
use crate::limits::Limits;

/// A caller whose token verified, with what was decided for it before.
pub struct Verified {
    caller: Caller,
    /// The caller as audit records show it.
    pub recorded: Recorded,
    /// A keyed hash of issuer and subject: what the worker sees of a caller.
    pub pseudonym: String,
    decided: Mutex<Vec<(DecisionKey, Arc<Permit>)>>,
}

/// The parts of a decision record that depend on the caller alone.
pub struct Recorded {
    /// Issuer, subject, client, tenant, token id.
    pub caller: audit::Caller,
    /// Groups, scopes, clearance; the token's age is filled in per request.
    pub inputs: audit::Inputs,
    issued_at_s: Option<u64>,
}

/// Verifies tokens and remembers the callers. Expiry and revocation are checked on every use.
pub struct Callers {
    known: Cache<[u8; 32], Arc<Verified>>,
    pseudonym_key: Secret,
    /// What they have asked of what they may.
    pub limits: Arc<Limits>,
    /// Asked for keys when a token comes with one that is not known.
    pub jwks: Arc<Jwks>,
}

impl Callers {
    /// Remembers at most `entries` callers.
    #[must_use]
    pub fn new(
        entries: usize,
        pseudonym_key: Secret,
        limits: Arc<Limits>,
        jwks: Arc<Jwks>,
    ) -> Self {
        Self { known: Cache::new(entries), pseudonym_key, limits, jwks }
    }

    /// The caller behind a request's bearer token, as `policy` sees him.
    ///
    /// # Errors
    /// Why the token does not count.
    pub fn authenticate(
        &self,
        policy: &PolicySet,
        headers: &HeaderMap,
        now_s: u64,
    ) -> Result<Arc<Verified>, TokenRefusal> {
        let token = bearer(headers)?;
        let hash = <[u8; 32]>::from(Sha256::digest(token.as_bytes()));
        if let Some(known) = self.known.get(&hash) {
            match policy.still_valid(&known.caller, now_s) {
                Ok(()) => return Ok(known),
                // Remembered under another policy: what it is worth now is asked anew.
                Err(TokenRefusal::Stale) => {}
                Err(refusal) => {
                    self.known.remove(&hash);
                    return Err(refusal);
                }
            }
        }
        let caller = policy.authenticate(token, now_s)?;
        let verified = Arc::new(Verified::new(caller, &self.pseudonym_key));
        self.known.insert(hash, verified.clone());
        Ok(verified)
    }
}

impl Verified {
    /// Issuer and subject, in full: together they are one caller.
    #[must_use]
    pub fn identity(&self) -> (&str, &str) {
        (self.caller.issuer(), self.caller.subject())
    }

    fn new(caller: Caller, pseudonym_key: &Secret) -> Self {
        let text = |text: &Arc<str>| audit::Text::from(&**text);
        let recorded = Recorded {
            caller: audit::Caller {
                client_id: caller.client_id().map(text),
                issuer: text(caller.issuer()),
                subject: text(caller.subject()),
                tenant: caller.tenant().map_or_else(|| "".into(), text),
                token_id: caller.token_id().map(text),
            },
            inputs: audit::Inputs {
                clearance: Some(caller.clearance().to_string().into()),
                groups: caller.groups().iter().map(text).collect(),
                scopes: caller.scopes().iter().map(text).collect(),
                token_age_s: 0,
            },
            issued_at_s: caller.issued_at_s(),
        };
        let pseudonym = pseudonym(&caller, pseudonym_key);
        Self { caller, recorded, pseudonym, decided: Mutex::new(Vec::new()) }
    }

    /// What `policy` says to `ask`. Decisions are remembered with the caller where the policy set
    /// vouches that nothing else can change them; a caller belongs to one set, and so do they.
    ///
    /// # Errors
    /// The denial.
    pub fn decide(&self, policy: &PolicySet, ask: &Ask<'_>) -> Result<Arc<Permit>, Denial> {
        let key = policy.cache_key(&self.caller, ask);
        if let Some(permit) = key.as_ref().and_then(|key| self.remembered(key)) {
            return Ok(permit);
        }
        match policy.decide(&self.caller, ask) {
            Decision::Allowed(permit) => {
                let permit = Arc::new(permit);
                if let Some(key) = key {
                    self.remember(key, permit.clone());
                }
                Ok(permit)
            }
            Decision::Denied(denial) => Err(denial),
        }
    }

    fn remembered(&self, key: &DecisionKey) -> Option<Arc<Permit>> {
        let decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        decided.iter().find(|(known, _)| known == key).map(|(_, permit)| permit.clone())
    }

    fn remember(&self, key: DecisionKey, permit: Arc<Permit>) {
        let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        if decided.len() >= DECISIONS_MAX {
            decided.remove(0);
        }
        decided.push((key, permit));
    }
}

impl Recorded {
    /// The decision's inputs, with the token's age.
    #[must_use]
    pub fn inputs(&self, now_s: u64) -> audit::Inputs {
        let age = self.issued_at_s.map_or(0, |issued| now_s.saturating_sub(issued));
        audit::Inputs { token_age_s: u32::try_from(age).unwrap_or(u32::MAX), ..self.inputs.clone() }
    }
}

/// RFC 6750, section 2.1: exactly one `Authorization: Bearer`, nowhere else.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, TokenRefusal> {
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let field = fields.next().ok_or(TokenRefusal::Missing)?;
    if fields.next().is_some() {
        return Err(TokenRefusal::Malformed);
    }
    let field = field.to_str().map_err(|_| TokenRefusal::Malformed)?;
    match field.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_start()),
        _ => Err(TokenRefusal::Missing),
    }
}

/// HMAC-SHA256 of issuer and subject under a key that dies with this process.
fn pseudonym(caller: &Caller, key: &Secret) -> String {
    use hmac::{KeyInit, Mac};
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key.expose())
        .expect("32 bytes are a key for HMAC-SHA256");
    for part in [caller.issuer(), caller.subject()] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    let tag: [u8; 32] = mac.finalize().into_bytes().into();
    hex::encode(tag.first_chunk::<16>().unwrap_or(&[0; 16]))
}

/// Decisions remembered per caller; one per model and action is usual.
const DECISIONS_MAX: usize = 16;
