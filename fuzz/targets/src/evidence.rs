use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sealgate_attestation::{Claims, Kind, Measurements, Trust, judge, sign};
use sealgate_keys::Base64;
use sealgate_keys::evidence::Evidence;

use crate::cursor::Cursor;

/// Evidence for the judge: the first byte says its kind; then its binary parts, each after a length
/// of two bytes, as they would stand in JSON; of an unknown kind the rest is the JSON itself.
///
/// The judge accepts every kind, and knows measurements that vendors' samples have; the clock is
/// inside the samples' validity. Even the best of them is bound to somebody else's report data.
///
/// # Panics
/// When anything is accepted.
pub fn evidence(input: &[u8]) {
    let mut cursor = Cursor::new(input);
    let (kind, now_s) = match cursor.byte() {
        0 => (software(&mut cursor), 1_795_000_000),
        1 => (snp(&mut cursor), 1_700_000_000),
        2 => (tdx(&mut cursor), 1_751_000_000),
        3 => (Some(Evidence::Nitro { document: part(&mut cursor) }), 1_736_179_700),
        _ => (serde_json::from_slice(cursor.rest()).ok(), 1_795_000_000),
    };
    let Some(evidence) = kind else { return };
    let verdict = judge(&evidence, &[5; 64], &TRUST, &CLAIMS, now_s);
    assert!(verdict.is_err(), "nothing here is bound to what was asked");
    let text = serde_json::to_vec(&evidence).expect("evidence is JSON");
    assert_eq!(serde_json::from_slice(&text).ok(), Some(evidence), "what is read is written back");
}

fn software(cursor: &mut Cursor<'_>) -> Option<Evidence> {
    let issued_at_s = 1_795_000_000_u64.wrapping_add(cursor.number() as u64);
    let key = match cursor.part() {
        // The pinned key is another one in each process.
        [] => Base64(SIGNER.public.to_vec()),
        key => Base64(key.to_vec()),
    };
    Some(Evidence::Software { issued_at_s, key, signature: part(cursor) })
}

fn snp(cursor: &mut Cursor<'_>) -> Option<Evidence> {
    let report = part(cursor);
    let mut certificates = Vec::new();
    while !cursor.rest().is_empty() {
        certificates.push(part(cursor));
    }
    Some(Evidence::SevSnp { report, certificates })
}

fn tdx(cursor: &mut Cursor<'_>) -> Option<Evidence> {
    let quote = part(cursor);
    let collateral = match cursor.rest() {
        [] => None,
        text => Some(String::from_utf8(text.to_vec()).ok()?),
    };
    Some(Evidence::Tdx { quote, collateral })
}

fn part(cursor: &mut Cursor<'_>) -> Base64 {
    Base64(cursor.part().to_vec())
}

struct Signer {
    document: Vec<u8>,
    public: [u8; 32],
}

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key");
    let public = pair.public_key().as_ref().try_into().expect("32 bytes");
    Signer { document: document.as_ref().to_vec(), public }
});

/// Accepts every kind by the measurements of the vendors' samples.
static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let signature = sign(MEASUREMENTS, &SIGNER.document).expect("measurements");
    let measurements =
        Measurements::verify(MEASUREMENTS, &signature, &SIGNER.public, 0, 1_795_000_000)
            .expect("measurements");
    Trust {
        accept: Kind::ALL.to_vec(),
        software_keys: vec![SIGNER.public],
        measurements: Some(measurements),
        evidence_age_max_s: 300,
    }
});

const CLAIMS: Claims<'_> = Claims { build: "sealgate-worker 0.1.0", build_digest: Some(&[9; 32]) };
const MEASUREMENTS: &str = include_str!("measurements.toml");
