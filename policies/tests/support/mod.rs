//! An issuer with keys made in the test, and the shipped folder that trusts it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::{IpAddr, Ipv4Addr};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sealgate_policies::{
    Action, Ask, Caller, Decision, Denial, Folder, Mode, Permit, PolicySet, Profile, Protocol,
};
use serde_json::{Value, json};

/// The time at which every test plays.
pub const NOW_S: u64 = 1_795_000_000;

/// One issuer's private halves.
pub struct Issuer {
    pub es256: EcdsaKeyPair,
    pub eddsa: Ed25519KeyPair,
    pub rsa: RsaKeyPair,
}

impl Issuer {
    pub fn new() -> Self {
        Self {
            es256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            eddsa: Ed25519KeyPair::generate().unwrap(),
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }

    pub fn es256_jwk(&self, kid: &str) -> Value {
        let point = self.es256.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": b64(&point[1..33]), "y": b64(&point[33..])})
    }

    pub fn eddsa_jwk(&self, kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(self.eddsa.public_key().as_ref())})
    }

    pub fn rsa_jwk(&self, kid: &str, alg: &str) -> Value {
        let parts: RsaPublicKeyComponents<Vec<u8>> = self.rsa.public_key().into();
        json!({"kty": "RSA", "kid": kid, "alg": alg, "n": b64(&parts.n), "e": b64(&parts.e)})
    }

    pub fn rsa_public_der(&self) -> Vec<u8> {
        self.rsa.public_key().as_der().unwrap().as_ref().to_vec()
    }

    pub fn jwks(&self) -> Value {
        json!({"keys": [
            self.es256_jwk("dev-es"), self.eddsa_jwk("dev-ed"),
            self.rsa_jwk("dev-rs", "RS256"), self.rsa_jwk("dev-ps", "PS256"),
        ]})
    }

    /// Signs by the algorithm that the key id's end stands for.
    pub fn sign(&self, kid: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |padding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(padding, &random, message, &mut signature).unwrap();
            signature
        };
        match kid {
            "dev-ed" => self.eddsa.sign(message).as_ref().to_vec(),
            "dev-rs" => rsa(&RSA_PKCS1_SHA256),
            "dev-ps" => rsa(&RSA_PSS_SHA256),
            _ => self.es256.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    pub fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_of_text(&header.to_string(), &claims.to_string())
    }

    /// For what a JSON library would not write, such as duplicates.
    pub fn token_of_text(&self, header: &str, claims: &str) -> String {
        let kid = serde_json::from_str::<Value>(header).unwrap()["kid"]
            .as_str()
            .unwrap_or("dev-es")
            .to_owned();
        let signed = format!("{}.{}", b64(header.as_bytes()), b64(claims.as_bytes()));
        format!("{signed}.{}", b64(&self.sign(&kid, signed.as_bytes())))
    }

    pub fn good_token(&self) -> String {
        self.token(&header(), &claims())
    }

    pub fn folder(&self) -> Folder {
        let issuers = Folder::shipped()
            .text("issuers.toml")
            .unwrap()
            .replace("\"RS256\"]", "\"RS256\", \"PS256\"]");
        Folder::shipped()
            .with("issuers.toml", &issuers)
            .with("jwks/dev.json", &self.jwks().to_string())
    }

    pub fn policy(&self) -> PolicySet {
        load(&self.folder())
    }
}

pub fn load(folder: &Folder) -> PolicySet {
    PolicySet::from_folder(folder, Profile::Dev).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

pub fn mistakes(folder: &Folder) -> String {
    match PolicySet::from_folder(folder, Profile::Dev) {
        Ok(_) => panic!("the folder was accepted"),
        Err(mistakes) => mistakes.to_string(),
    }
}

pub fn header() -> Value {
    json!({"alg": "ES256", "typ": "at+jwt", "kid": "dev-es"})
}

pub fn claims() -> Value {
    json!({
        "iss": "https://dev.sealgate.localhost", "aud": "sealgate", "sub": "dr-house", "jti": "token-1",
        "client_id": "ward-7", "iat": NOW_S - 10, "exp": NOW_S + 600,
        "tenant": "general-hospital", "groups": ["clinicians", "unheard-of"], "scope": "infer other",
    })
}

/// The same object with one member changed, or taken away by `null`.
pub fn but(mut object: Value, name: &str, value: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    match value {
        Value::Null => drop(members.remove(name)),
        value => drop(members.insert(name.to_owned(), value)),
    }
    object
}

pub fn ask() -> Ask<'static> {
    Ask {
        model: "breast-cancer",
        version: None,
        action: Action::Infer,
        mode: Mode::GatewaySealed,
        protocol: Protocol::V2,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        rows: None,
        now_s: NOW_S,
    }
}

pub fn permit(policy: &PolicySet, caller: &Caller, ask: &Ask<'_>) -> Permit {
    match policy.decide(caller, ask) {
        Decision::Allowed(permit) => permit,
        Decision::Denied(denial) => panic!("denied: {denial:?}"),
    }
}

pub fn denial(policy: &PolicySet, caller: &Caller, ask: &Ask<'_>) -> Denial {
    match policy.decide(caller, ask) {
        Decision::Allowed(permit) => panic!("allowed: {permit:?}"),
        Decision::Denied(denial) => denial,
    }
}

pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
