//! The order of the checks: cheap ones first, then the signature, then what is signed.

use std::collections::HashMap;
use std::sync::Arc;

use super::claims::{Claims, Times};
use super::header::Header;
use super::jwks::TokenKey;
use super::{TOKEN_BYTES_MAX, TokenRefusal};
use crate::tables::Issuer;

/// Claims that the issuer vouches for, made for us, at this time.
pub(crate) struct Verified<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) key_id: Arc<str>,
    pub(crate) key: Arc<TokenKey>,
    pub(crate) times: Times,
    pub(crate) claims: Claims,
}

/// `issuers` by the exact value of `iss`.
pub(crate) fn verify<'a>(
    token: &str,
    now_s: u64,
    issuers: &'a HashMap<Arc<str>, Issuer>,
) -> Result<Verified<'a>, TokenRefusal> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenRefusal::TooLarge);
    }
    let parts = Parts::split(token)?;
    let header = Header::parse(parts.header)?;
    let claims = Claims::parse(parts.claims)?;

    let issuer = issuers.get(claims.unverified_issuer()?).ok_or(TokenRefusal::Issuer)?;
    header.must_be_typed_as(issuer)?;
    let key_id = header.key_id()?;
    let key = issuer.keys.key(key_id).ok_or(TokenRefusal::KeyUnknown)?;
    header.must_be_signed_with(key.algorithm())?;
    key.check(parts.signed.as_bytes(), parts.signature)?;

    claims.must_be_for(issuer)?;
    claims.must_have_what(issuer)?;
    claims.must_not_be_bound()?;
    let times = claims.times(issuer, now_s)?;
    Ok(Verified { issuer, key_id: key_id.into(), key, times, claims })
}

/// What a token says its issuer is, before anything is checked.
pub(super) fn unverified_issuer(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let claims = Claims::parse(Parts::split(token).ok()?.claims).ok()?;
    claims.unverified_issuer().ok().map(str::to_owned)
}

struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, TokenRefusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
        // A further dot would stand in the claims, where base64url has none.
        let (header, claims) = signed.split_once('.').ok_or(TokenRefusal::Malformed)?;
        Ok(Self { header, claims, signed, signature })
    }
}
