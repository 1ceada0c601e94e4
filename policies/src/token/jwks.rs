//! JWK sets (RFC 7517): each key is good for one algorithm, and only for checking signatures.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::TokenRefusal;
use super::claims::is_identifier;
use super::keys::KeySet;
use crate::mistake::{Mistakes, Place};
use crate::set::Profile;
use crate::tables::SigningAlgorithm;

/// A public key and the one algorithm it is for.
pub(crate) struct TokenKey {
    algorithm: SigningAlgorithm,
    key: DecodingKey,
    /// SHA-256 over type and public parts: two keys of one name can be told apart.
    thumbprint: [u8; 32],
}

impl TokenKey {
    pub(super) fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.thumbprint == other.thumbprint
    }

    pub(super) fn check(&self, signed: &[u8], signature: &str) -> Result<(), TokenRefusal> {
        let algorithm = self.algorithm.of_the_library();
        match jsonwebtoken::crypto::verify(signature, signed, &self.key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(TokenRefusal::Signature),
        }
    }
}

impl SigningAlgorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
        }
    }

    fn of_the_library(self) -> Algorithm {
        match self {
            Self::ES256 => Algorithm::ES256,
            Self::EdDSA => Algorithm::EdDSA,
            Self::RS256 => Algorithm::RS256,
            Self::PS256 => Algorithm::PS256,
        }
    }

    fn key_type(self) -> &'static str {
        match self {
            Self::ES256 => "EC",
            Self::EdDSA => "OKP",
            Self::RS256 | Self::PS256 => "RSA",
        }
    }
}

/// Keys by `kid`. A key that is honestly for something else (encryption, another curve) is left
/// out with a warning, for issuers publish such; one that should not be there is a mistake.
pub(crate) fn keys_from_jwks(
    place: Place<'_>,
    text: &str,
    allowed: &[SigningAlgorithm],
    profile: Profile,
    mistakes: &mut Mistakes,
) -> KeySet {
    if text.len() > JWKS_BYTES_MAX {
        mistakes.error(place, format!("is larger than {JWKS_BYTES_MAX} bytes"));
        return HashMap::new();
    }
    let set: Set = match serde_json::from_str(text) {
        Ok(set) => set,
        Err(error) => {
            let place = Place { line: Some(error.line()), column: Some(error.column()), ..place };
            let what = if error.is_data() { "is not a JWK set" } else { "is not JSON" };
            mistakes.error(place, what).hint("RFC 7517: `{\"keys\": [..]}`");
            return HashMap::new();
        }
    };
    if set.keys.len() > KEYS_MAX {
        mistakes.error(place, format!("holds more than {KEYS_MAX} keys"));
        return HashMap::new();
    }
    let mut keys = KeySet::new();
    for (position, jwk) in set.keys.iter().enumerate() {
        let Some(kid) = jwk.kid.as_deref().filter(|kid| is_identifier(kid)) else {
            mistakes
                .error(place, format!("key {} has no `kid`", position + 1))
                .hint("up to 256 bytes without control characters");
            continue;
        };
        if let Some((message, hint)) = jwk.must_not_be_here(kid, profile) {
            mistakes.error(place, format!("key `{kid}` {message}")).hint(hint);
            continue;
        }
        match jwk.usable(allowed) {
            Err(reason) => {
                mistakes.warning(place, format!("key `{kid}` is left out: {reason}"));
            }
            Ok(algorithm) => match jwk.key(algorithm) {
                None => {
                    mistakes
                        .error(place, format!("key `{kid}` is not a valid {} key", algorithm.name()))
                        .hint("EC keys are on P-256, OKP keys are Ed25519, RSA keys have 2048 to 8192 bits");
                }
                Some(key) => {
                    let thumbprint = jwk.thumbprint();
                    let key = Arc::new(TokenKey { algorithm, key, thumbprint });
                    if keys.insert(kid.into(), key).is_some() {
                        mistakes
                            .error(place, format!("two keys are called `{kid}`"))
                            .hint("a token names its key by `kid`, so each names one");
                    }
                }
            },
        }
    }
    keys
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// Unknown members are ignored, as RFC 7517, section 4, demands.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    fn must_not_be_here(
        &self,
        kid: &str,
        profile: Profile,
    ) -> Option<(&'static str, &'static str)> {
        if self.d.is_some() {
            return Some((
                "is a private key",
                "keep it with the issuer and give out the public half",
            ));
        }
        if self.k.is_some() || self.kty == "oct" {
            return Some((
                "is a shared secret",
                "whoever checks tokens with it could also make them",
            ));
        }
        if profile == Profile::Production && kid.starts_with("dev-") {
            return Some((
                "is a dev key and refused in production",
                "whoever ran the demo holds its other half",
            ));
        }
        None
    }

    fn usable(&self, allowed: &[SigningAlgorithm]) -> Result<SigningAlgorithm, &'static str> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err("its `use` is not `sig`");
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err("its `key_ops` lack `verify`");
        }
        let mut fitting = allowed
            .iter()
            .filter(|algorithm| algorithm.key_type() == self.kty)
            .filter(|algorithm| self.alg.as_deref().is_none_or(|alg| alg == algorithm.name()));
        match (fitting.next(), fitting.next()) {
            (Some(algorithm), None) => Ok(*algorithm),
            (Some(_), Some(_)) => Err("it could be for two algorithms: give it an `alg`"),
            (None, _) => Err("it is for no algorithm that the issuer may use"),
        }
    }

    fn key(&self, algorithm: SigningAlgorithm) -> Option<DecodingKey> {
        match algorithm {
            SigningAlgorithm::ES256 => self.p256(),
            SigningAlgorithm::EdDSA => self.ed25519(),
            SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => self.rsa(),
        }
    }

    fn thumbprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(&self.kty);
        for part in [&self.crv, &self.x, &self.y, &self.n, &self.e] {
            hash.update(b"\0");
            hash.update(part.as_deref().unwrap_or_default());
        }
        hash.finalize().into()
    }

    fn p256(&self) -> Option<DecodingKey> {
        let (x, y) = (self.x.as_deref()?, self.y.as_deref()?);
        let point = [&[UNCOMPRESSED][..], &fixed(x)?, &fixed(y)?].concat();
        (self.crv.as_deref()? == "P-256" && is_point(&ECDSA_P256_SHA256_FIXED, &point))
            .then(|| DecodingKey::from_ec_components(x, y).ok())?
    }

    fn ed25519(&self) -> Option<DecodingKey> {
        let x = self.x.as_deref()?;
        (self.crv.as_deref()? == "Ed25519" && is_point(&ED25519, &fixed(x)?))
            .then(|| DecodingKey::from_ed_components(x).ok())?
    }

    /// A shorter modulus would fail at every token; it had better fail here. Some libraries write
    /// a zero byte before it (RFC 7518, section 6.3.1.1), which is not part of it.
    fn rsa(&self) -> Option<DecodingKey> {
        let (n, e) = (self.n.as_deref()?, self.e.as_deref()?);
        let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
        let modulus = modulus.strip_prefix(&[0]).unwrap_or(&modulus);
        let exponent = URL_SAFE_NO_PAD.decode(e).ok()?;
        let leading_zeros = modulus.first()?.leading_zeros() as usize;
        let bits = (modulus.len() * 8).checked_sub(leading_zeros)?;
        let odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte % 2 == 1);
        (MODULUS_BITS.contains(&bits) && odd(modulus) && odd(&exponent) && exponent != [1])
            .then(|| DecodingKey::from_rsa_raw_components(modulus, &exponent))
    }
}

fn fixed(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

fn is_point(algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> bool {
    UnparsedPublicKey::new(algorithm, bytes).parse().is_ok()
}

/// A larger JWK set is refused before it is parsed.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;
/// Issuers publish a handful; each one here is a key that would be believed.
const KEYS_MAX: usize = 64;
/// SEC 1, section 2.3.3.
const UNCOMPRESSED: u8 = 4;
/// What the library's RSA verification takes.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
