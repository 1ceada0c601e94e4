//! Keys of the issuers, of attackers, and what an attacker makes of public ones.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::Issuer;

/// Everybody who signs.
pub struct Signers {
    pub ours: Issuer,
    other: Issuer,
    stranger: Issuer,
    p384: EcdsaKeyPair,
}

impl Signers {
    pub fn new() -> Self {
        Self {
            ours: Issuer::new(),
            other: Issuer::new(),
            stranger: Issuer::new(),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
        }
    }

    pub fn our_jwks(&self) -> Value {
        let mut jwks = self.ours.jwks();
        jwks["keys"].as_array_mut().unwrap().push(self.ours.es256_jwk("revoked-key"));
        jwks
    }

    pub fn other_jwks(&self) -> Value {
        json!({"keys": [self.other.es256_jwk("other-es")]})
    }

    pub fn strict_jwks(&self) -> Value {
        json!({"keys": [self.ours.es256_jwk("strict-es")]})
    }

    /// The signature by the way that a recipe names.
    pub fn sign(&self, way: &str, signed: &[u8]) -> Vec<u8> {
        match way {
            "other-es" => self.other.sign("dev-es", signed),
            "stranger-es" => self.stranger.sign("dev-es", signed),
            "stranger-rs" => self.stranger.sign("dev-rs", signed),
            "p384" => self.p384.sign(&SystemRandom::new(), signed).unwrap().as_ref().to_vec(),
            "asn1" => asn1(&self.ours.sign("dev-es", signed)),
            "nothing" => Vec::new(),
            "hs256-empty" => mac(b"", signed),
            "hs256-pem" => mac(pem(&self.ours.rsa_public_der()).as_bytes(), signed),
            "hs256-der" => mac(&self.ours.rsa_public_der(), signed),
            "hs256-jwk" => mac(self.ours.es256_jwk("dev-es").to_string().as_bytes(), signed),
            "hs256-point" => mac(self.ours.es256.public_key().as_ref(), signed),
            "hs256-modulus" => mac(&self.modulus(), signed),
            "hs384-modulus" => {
                let key = hmac::Key::new(hmac::HMAC_SHA384, &self.modulus());
                hmac::sign(&key, signed).as_ref().to_vec()
            }
            ours => self.ours.sign(ours, signed),
        }
    }

    fn modulus(&self) -> Vec<u8> {
        let jwk = self.ours.rsa_jwk("dev-rs", "RS256");
        URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap()
    }
}

fn mac(key: &[u8], signed: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed).as_ref().to_vec()
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// A good signature, written as X.509 writes it.
fn asn1(fixed: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
        let mut value = bytes[start..].to_vec();
        if value[0] >= 0x80 {
            value.insert(0, 0);
        }
        [&[2, u8::try_from(value.len()).unwrap()][..], &value].concat()
    };
    let body = [integer(&fixed[..32]), integer(&fixed[32..])].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat()
}
