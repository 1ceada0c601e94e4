//! The dev issuer: signs tokens that a gateway outside the dev profile refuses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use sealgate_model::Digest;
use serde::Serialize;
use serde_json::{Value, json};

use super::{State, files};
use crate::error::CliError;

/// The longest life of a token, as `issuers.toml` allows it.
pub(crate) const LIFETIME_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// The key and its name. A secret: no Debug, no Clone.
pub(crate) struct DevIssuer {
    key: KeyPair,
    key_id: String,
}

/// What a token says about its bearer. What is absent here is absent in the token.
#[derive(Clone, Serialize)]
pub(crate) struct Claims {
    /// Who it is.
    #[serde(rename = "sub")]
    pub(crate) subject: String,
    /// The groups that `roles.toml` knows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    /// Whose data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// What for. One string with spaces between (RFC 8693, section 4.2).
    #[serde(rename = "scope", skip_serializing_if = "Vec::is_empty", serialize_with = "spaced")]
    pub(crate) scopes: Vec<String>,
}

impl DevIssuer {
    /// Reads the key of a state in which a demo has run.
    pub(crate) fn load(state: &State) -> Result<Self, CliError> {
        let path = key_path(state);
        match files::read_if_there(&path)? {
            Some(pem) => Self::from_pem(&path, &pem),
            None => Err(CliError::StateMissing { dir: state.dir().to_owned() }),
        }
    }

    /// Reads the key, or makes one.
    pub(crate) fn load_or_create(state: &State) -> Result<Self, CliError> {
        let path = key_path(state);
        if let Some(pem) = files::read_if_there(&path)? {
            return Self::from_pem(&path, &pem);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        files::private_dir(&state.path("keys"))?;
        files::replace(&path, key.serialize_pem().as_bytes())?;
        Self::new(key)
    }

    fn from_pem(path: &Path, pem: &str) -> Result<Self, CliError> {
        let damaged = || CliError::StateDamaged {
            path: path.to_owned(),
            why: "it holds no P-256 key".to_owned(),
        };
        let key = KeyPair::from_pem(pem).map_err(|_| damaged())?;
        if !key.is_compatible(&PKCS_ECDSA_P256_SHA256) {
            return Err(damaged());
        }
        Self::new(key)
    }

    /// `dev-` is what gateways outside the dev profile refuse; the rest is of RFC 7638.
    fn new(key: KeyPair) -> Result<Self, CliError> {
        let (x, y) = coordinates(&key);
        let thumbprint =
            Digest::of(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes());
        let key_id = format!("dev-{}", URL_SAFE_NO_PAD.encode(thumbprint.as_bytes()));
        Ok(Self { key, key_id })
    }

    /// The public key's name.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public key (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let (x, y) = coordinates(&self.key);
        json!({
            "kty": "EC", "crv": "P-256", "x": x, "y": y,
            "kid": self.key_id, "use": "sig", "alg": "ES256",
        })
    }

    /// Signs a token in the profile of RFC 9068.
    pub(crate) fn token(
        &self,
        claims: &Claims,
        now_s: u64,
        lifetime: Duration,
    ) -> Result<String, CliError> {
        #[derive(Serialize)]
        struct Token<'a> {
            iss: &'static str,
            aud: &'static str,
            client_id: &'static str,
            iat: u64,
            exp: u64,
            jti: String,
            #[serde(flatten)]
            claims: &'a Claims,
        }
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.key_id.clone());
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| CliError::Randomness)?;
        let token = Token {
            iss: "https://dev.sealgate.localhost",
            aud: "sealgate",
            client_id: "sealgate-cli",
            iat: now_s,
            exp: now_s + lifetime.min(LIFETIME_MAX).as_secs(),
            jti: hex::encode(id),
            claims,
        };
        let key = EncodingKey::from_ec_pem(self.key.serialize_pem().as_bytes())?;
        Ok(jsonwebtoken::encode(&header, &token, &key)?)
    }
}

fn key_path(state: &State) -> PathBuf {
    state.path("keys/dev-issuer.pem")
}

/// Of the uncompressed point (SEC 1, section 2.3.3): a 4, then x, then y.
fn coordinates(key: &KeyPair) -> (String, String) {
    let point = key.public_key_raw();
    let part = |range| URL_SAFE_NO_PAD.encode(point.get(range).unwrap_or_default());
    (part(1..33), part(33..65))
}

fn spaced<S: serde::Serializer>(scopes: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&scopes.join(" "))
}
