//! The token's header: which key and algorithm it claims, and nothing that could choose a key
//! for us (`jku`, `x5u`, `jwk` and `x5c` are never looked at).

use super::TokenRefusal;
use super::json::Object;
use crate::tables::{Issuer, SigningAlgorithm};

pub(super) struct Header(Object);

impl Header {
    pub(super) fn parse(part: &str) -> Result<Self, TokenRefusal> {
        let header = Object::from_part(part)?;
        match CHANGES_THE_READING.iter().any(|name| header.has(name)) {
            true => Err(TokenRefusal::Critical),
            false => Ok(Self(header)),
        }
    }

    pub(super) fn key_id(&self) -> Result<&str, TokenRefusal> {
        self.0.string("kid").ok_or(TokenRefusal::KeyUnknown)
    }

    pub(super) fn must_be_typed_as(&self, issuer: &Issuer) -> Result<(), TokenRefusal> {
        let typ = self.0.string("typ").ok_or(TokenRefusal::Type)?;
        let short = match typ.get(..MEDIA_PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(MEDIA_PREFIX) => {
                typ.get(MEDIA_PREFIX.len()..)
            }
            _ => Some(typ),
        };
        match short.is_some_and(|short| short.eq_ignore_ascii_case(&issuer.typ)) {
            true => Ok(()),
            false => Err(TokenRefusal::Type),
        }
    }

    pub(super) fn must_be_signed_with(
        &self,
        algorithm: SigningAlgorithm,
    ) -> Result<(), TokenRefusal> {
        match self.0.string("alg") == Some(algorithm.name()) {
            true => Ok(()),
            false => Err(TokenRefusal::Algorithm),
        }
    }
}

/// `crit` and `b64` (RFC 7797) change what is signed, `zip` and `enc` what is read.
const CHANGES_THE_READING: [&str; 4] = ["crit", "b64", "zip", "enc"];
/// RFC 7515, section 4.1.9: may be left out.
const MEDIA_PREFIX: &str = "application/";
