//! Who is asking: proof that a token was checked.

use std::sync::Arc;

use cedar_policy::Entity;

use crate::rules::{Asked, caller_entity};
use crate::set::PolicyDigest;
use crate::tables::{Issuer, LOWEST, Roles};
use crate::token::{Claims, Times, TokenKey, TokenRefusal, Verified};

/// Somebody an issuer vouches for, with what `roles.toml` makes of the token's claims.
///
/// Only [`PolicySet::authenticate`](crate::PolicySet::authenticate) makes one, and it is good
/// for that policy set alone. It may be kept beside the token's hash:
/// [`PolicySet::still_valid`](crate::PolicySet::still_valid) says on each use whether it still
/// counts.
///
/// Every token here is a bearer token. One that is bound to a key of its holder (RFC 9449,
/// RFC 8705: the claim `cnf`) is refused; the proof of holding it would be a field here.
pub struct Caller {
    issuer: Arc<str>,
    issuer_name: Arc<str>,
    subject: Arc<str>,
    client_id: Option<Arc<str>>,
    tenant: Option<Arc<str>>,
    groups: Vec<Arc<str>>,
    scopes: Vec<Arc<str>>,
    clearance: i64,
    token_id: Option<Arc<str>>,
    key_id: Arc<str>,
    /// `None` where no token made the caller: such a one is never served.
    key: Option<Arc<TokenKey>>,
    times: Times,
    entity: Entity,
    asked: Asked,
    policy: PolicyDigest,
}

impl Caller {
    pub(crate) fn new(
        verified: &Verified<'_>,
        roles: &Roles,
        policy: PolicyDigest,
    ) -> Result<Self, TokenRefusal> {
        let Verified { issuer, key_id, key, times, claims } = verified;
        let standing = Standing::read(claims, issuer, roles)?;
        let signed = Some((Arc::clone(key_id), Arc::clone(key)));
        Self::assemble(issuer, Named::read(claims)?, standing, signed, times.clone(), policy)
    }

    /// As [`new`](Self::new), of claims that no token made: to test, to explain and to compare,
    /// never to serve.
    pub(crate) fn supposed(
        claims: &Claims,
        times: Times,
        issuer: &Issuer,
        roles: &Roles,
        policy: PolicyDigest,
    ) -> Result<Self, TokenRefusal> {
        let standing = Standing::read(claims, issuer, roles)?;
        Self::assemble(issuer, Named::read(claims)?, standing, None, times, policy)
    }

    /// As a record shows him, who keeps the standing and not the claims: to compare, never to
    /// serve.
    pub(crate) fn recorded(
        issuer: &Issuer,
        named: Named,
        standing: Standing,
        times: Times,
        policy: PolicyDigest,
    ) -> Result<Self, TokenRefusal> {
        Self::assemble(issuer, named, standing, None, times, policy)
    }

    fn assemble(
        issuer: &Issuer,
        named: Named,
        standing: Standing,
        signed: Option<(Arc<str>, Arc<TokenKey>)>,
        times: Times,
        policy: PolicyDigest,
    ) -> Result<Self, TokenRefusal> {
        let entity = caller_entity(&issuer.name, &named.subject, &standing)
            .map_err(|_| TokenRefusal::Claims)?;
        Ok(Self {
            issuer: Arc::clone(&issuer.issuer),
            issuer_name: Arc::clone(&issuer.name),
            subject: named.subject,
            client_id: named.client_id,
            token_id: named.token_id,
            tenant: standing.tenant,
            groups: standing.groups,
            scopes: standing.scopes,
            clearance: standing.clearance,
            key_id: signed.as_ref().map_or_else(|| NO_KEY.into(), |(id, _)| Arc::clone(id)),
            key: signed.map(|(_, key)| key),
            times,
            entity,
            asked: Asked::default(),
            policy,
        })
    }

    /// The token's `iss`.
    pub fn issuer(&self) -> &Arc<str> {
        &self.issuer
    }

    /// The issuer's name in `issuers.toml`.
    pub fn issuer_name(&self) -> &Arc<str> {
        &self.issuer_name
    }

    /// The token's `sub`: unique only together with the issuer.
    pub fn subject(&self) -> &Arc<str> {
        &self.subject
    }

    /// The token's `client_id`.
    pub fn client_id(&self) -> Option<&Arc<str>> {
        self.client_id.as_ref()
    }

    /// The tenant, if the token names one that its issuer may speak for.
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }

    /// The declared groups, sorted.
    pub fn groups(&self) -> &[Arc<str>] {
        &self.groups
    }

    /// The token's scopes, sorted.
    pub fn scopes(&self) -> &[Arc<str>] {
        &self.scopes
    }

    /// The highest clearance that a group or the token's claim gives.
    pub fn clearance(&self) -> i64 {
        self.clearance
    }

    /// The token's `jti`.
    pub fn token_id(&self) -> Option<&Arc<str>> {
        self.token_id.as_ref()
    }

    /// The key that signed the token.
    pub fn key_id(&self) -> &Arc<str> {
        &self.key_id
    }

    /// When the token expires, in seconds since 1970.
    pub fn expires_at_s(&self) -> u64 {
        self.times.expires_at_s
    }

    /// The token's `nbf`.
    pub fn not_before_s(&self) -> Option<u64> {
        self.times.not_before_s
    }

    /// The token's `iat`.
    pub fn issued_at_s(&self) -> Option<u64> {
        self.times.issued_at_s
    }

    /// The policy folder it was authenticated under.
    pub fn policy(&self) -> PolicyDigest {
        self.policy
    }

    pub(crate) fn key(&self) -> Option<&TokenKey> {
        self.key.as_deref()
    }

    pub(crate) fn times(&self) -> &Times {
        &self.times
    }

    pub(crate) fn entity(&self) -> &Entity {
        &self.entity
    }

    /// What the caller asked last, ready to be asked again.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }
}

/// How a token names the caller, his program and itself.
pub(crate) struct Named {
    pub(crate) subject: Arc<str>,
    pub(crate) client_id: Option<Arc<str>>,
    pub(crate) token_id: Option<Arc<str>>,
}

impl Named {
    fn read(claims: &Claims) -> Result<Self, TokenRefusal> {
        Ok(Self {
            subject: claims.subject()?,
            client_id: claims.identifier("client_id")?,
            token_id: claims.identifier("jti")?,
        })
    }
}

/// Of callers that no token made. No key has this id, so none is revoked by it.
const NO_KEY: &str = "";

/// What the claims come to.
pub(crate) struct Standing {
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) groups: Vec<Arc<str>>,
    pub(crate) scopes: Vec<Arc<str>>,
    pub(crate) clearance: i64,
}

impl Standing {
    fn read(claims: &Claims, issuer: &Issuer, roles: &Roles) -> Result<Self, TokenRefusal> {
        let groups = claims.strings(&roles.claims.groups)?;
        let groups: Vec<_> = groups.into_iter().flat_map(|value| roles.groups_of(value)).collect();
        let clearance =
            groups.iter().map(|group| group.clearance).chain(claimed_level(claims, roles)?);
        Ok(Self {
            tenant: tenant(claims, issuer, roles)?,
            clearance: clearance.max().unwrap_or(LOWEST),
            groups: sorted(groups.iter().map(|group| Arc::clone(&group.name))),
            scopes: sorted(
                claims
                    .strings(&roles.claims.scopes)?
                    .iter()
                    .flat_map(|s| s.split(' '))
                    .filter(|s| !s.is_empty())
                    .map(Arc::from),
            ),
        })
    }
}

/// A tenant that is not declared, or that this issuer may not speak for, is no tenant: the
/// caller is known, and the rules keep him out.
fn tenant(
    claims: &Claims,
    issuer: &Issuer,
    roles: &Roles,
) -> Result<Option<Arc<str>>, TokenRefusal> {
    let claimed = claims.identifier(&roles.claims.tenant)?;
    let declared = claimed.and_then(|value| roles.tenant_of(&value));
    Ok(declared.filter(|tenant| issuer.tenants.contains(*tenant)).cloned())
}

fn claimed_level(claims: &Claims, roles: &Roles) -> Result<Option<i64>, TokenRefusal> {
    let Some(name) = &roles.claims.clearance else { return Ok(None) };
    Ok(claims.identifier(name)?.and_then(|level| roles.level(&level)))
}

fn sorted(names: impl Iterator<Item = Arc<str>>) -> Vec<Arc<str>> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}
