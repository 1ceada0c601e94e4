//! The token's claims, each read once into a type or refused.

use std::sync::Arc;

use serde_json::Value;

use super::TokenRefusal;
use super::json::Object;
use crate::tables::{Issuer, RequiredClaim};

/// What a token says, not yet believed.
pub(crate) struct Claims(Object);

/// When a token counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) expires_at_s: u64,
    pub(crate) not_before_s: Option<u64>,
    pub(crate) issued_at_s: Option<u64>,
    leeway_s: u64,
}

impl Times {
    /// RFC 7519, sections 4.1.4 to 4.1.6.
    pub(crate) fn check(&self, now_s: u64) -> Result<(), TokenRefusal> {
        let latest_s = now_s.saturating_add(self.leeway_s);
        if now_s >= self.expires_at_s.saturating_add(self.leeway_s) {
            return Err(TokenRefusal::Expired);
        }
        if self.not_before_s.is_some_and(|not_before_s| not_before_s > latest_s) {
            return Err(TokenRefusal::NotYetValid);
        }
        if self.issued_at_s.is_some_and(|issued_at_s| issued_at_s > latest_s) {
            return Err(TokenRefusal::IssuedInFuture);
        }
        Ok(())
    }

    fn lifetime_must_be_within(&self, max_s: u64, now_s: u64) -> Result<(), TokenRefusal> {
        let starts = [self.issued_at_s, self.not_before_s];
        if starts.into_iter().flatten().any(|start_s| start_s > self.expires_at_s) {
            return Err(TokenRefusal::Claims);
        }
        let from_s = self.issued_at_s.or(self.not_before_s).unwrap_or(now_s);
        match self.expires_at_s.saturating_sub(from_s) <= max_s {
            true => Ok(()),
            false => Err(TokenRefusal::Lifetime),
        }
    }
}

impl Claims {
    pub(super) fn parse(part: &str) -> Result<Self, TokenRefusal> {
        Object::from_part(part).map(Self)
    }

    /// Read before the signature is checked, only to find out whose keys to check it with.
    pub(super) fn unverified_issuer(&self) -> Result<&str, TokenRefusal> {
        self.0.string("iss").ok_or(TokenRefusal::Issuer)
    }

    pub(super) fn must_be_for(&self, issuer: &Issuer) -> Result<(), TokenRefusal> {
        let named = |audience: &str| issuer.audience.iter().any(|ours| ours == audience);
        let for_us = match self.0.value("aud") {
            Some(Value::String(one)) => named(one),
            Some(Value::Array(several)) if several.iter().all(Value::is_string) => {
                several.iter().filter_map(Value::as_str).any(named)
            }
            _ => false,
        };
        if for_us { Ok(()) } else { Err(TokenRefusal::Audience) }
    }

    pub(super) fn must_have_what(&self, issuer: &Issuer) -> Result<(), TokenRefusal> {
        let all = issuer.required_claims.iter().all(|claim| match claim {
            RequiredClaim::Iat => self.0.has("iat"),
            RequiredClaim::Nbf => self.0.has("nbf"),
            RequiredClaim::Jti => self.0.has("jti"),
            RequiredClaim::ClientId => self.0.has("client_id"),
        });
        if all { Ok(()) } else { Err(TokenRefusal::Claims) }
    }

    pub(super) fn must_not_be_bound(&self) -> Result<(), TokenRefusal> {
        if self.0.has("cnf") { Err(TokenRefusal::Bound) } else { Ok(()) }
    }

    pub(super) fn times(&self, issuer: &Issuer, now_s: u64) -> Result<Times, TokenRefusal> {
        let times = Times {
            expires_at_s: self.seconds("exp")?.ok_or(TokenRefusal::Claims)?,
            not_before_s: self.seconds("nbf")?,
            issued_at_s: self.seconds("iat")?,
            leeway_s: issuer.leeway_s,
        };
        times.check(now_s)?;
        times.lifetime_must_be_within(issuer.lifetime_max_s, now_s)?;
        Ok(times)
    }

    pub(crate) fn subject(&self) -> Result<Arc<str>, TokenRefusal> {
        self.identifier("sub")?.ok_or(TokenRefusal::Claims)
    }

    /// A name that goes into records: bounded, and without anything that could forge a line.
    pub(crate) fn identifier(&self, name: &str) -> Result<Option<Arc<str>>, TokenRefusal> {
        match self.0.value(name) {
            None => Ok(None),
            Some(Value::String(text)) if is_identifier(text) => Ok(Some(text.as_str().into())),
            Some(_) => Err(TokenRefusal::Claims),
        }
    }

    /// One string, or an array of them.
    pub(crate) fn strings(&self, name: &str) -> Result<Vec<&str>, TokenRefusal> {
        match self.0.value(name) {
            None => Ok(Vec::new()),
            Some(Value::String(one)) => Ok(vec![one]),
            Some(Value::Array(several)) => {
                several.iter().map(|value| value.as_str().ok_or(TokenRefusal::Claims)).collect()
            }
            Some(_) => Err(TokenRefusal::Claims),
        }
    }

    /// RFC 3339 dates, fractions and numbers no clock will reach are not times.
    fn seconds(&self, name: &str) -> Result<Option<u64>, TokenRefusal> {
        match self.0.value(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(seconds) if seconds <= SECONDS_MAX => Ok(Some(seconds)),
                _ => Err(TokenRefusal::Claims),
            },
        }
    }
}

/// Goes into records: bounded, and without anything that could forge a line.
pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.len() <= IDENTIFIER_BYTES_MAX && !text.chars().any(char::is_control)
}

/// 2^53: beyond it JSON readers disagree about integers.
const SECONDS_MAX: u64 = 1 << 53;
const IDENTIFIER_BYTES_MAX: usize = 256;
