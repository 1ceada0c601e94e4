//! A vendor made by the test, for what no vendor's sample shows: evidence that binds our keyset.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P384_SHA384,
};

use crate::chain::fingerprint;
use crate::{Claims, Kind, Measurements, Trust, sign};

pub(crate) const NOW_S: u64 = 1_795_000_000;
pub(crate) const CLAIMS: Claims<'_> =
    Claims { build: "sealgate-worker 0.1.0", build_digest: Some(&[9; 32]) };

/// Root, intermediate and leaf, all ECDSA P-384.
pub(crate) struct Vendor {
    pub(crate) root: Vec<u8>,
    pub(crate) between: Vec<u8>,
    pub(crate) leaf: Vec<u8>,
    key: EcdsaKeyPair,
}

impl Vendor {
    pub(crate) fn new(extensions: Vec<CustomExtension>) -> Self {
        Self::ending([2050, 2050, 2031], extensions)
    }

    /// Root, intermediate and leaf end with the beginning of these years.
    pub(crate) fn ending(years: [i32; 3], extensions: Vec<CustomExtension>) -> Self {
        Self::made(years, IsCa::Ca(BasicConstraints::Constrained(0)), extensions)
    }

    /// What should be an intermediate is a leaf, which signs all the same.
    pub(crate) fn below_a_leaf() -> Self {
        Self::made([2050, 2050, 2031], IsCa::ExplicitNoCa, Vec::new())
    }

    fn made(years: [i32; 3], between: IsCa, extensions: Vec<CustomExtension>) -> Self {
        let [root_ends, between_ends, leaf_ends] = years;
        let authority = |name: &str, is_ca, ends| {
            let mut params = CertificateParams::default();
            params.not_after = rcgen::date_time_ymd(ends, 1, 1);
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = is_ca;
            params
        };
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();

        let (root_params, root_key) =
            (authority("root", IsCa::Ca(BasicConstraints::Unconstrained), root_ends), key());
        let root = root_params.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root_params, root_key);
        let (between_params, between_key) = (authority("between", between, between_ends), key());
        let between = between_params.signed_by(&between_key, &root_issuer).unwrap();
        let between_issuer = Issuer::new(between_params, between_key);

        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "leaf");
        params.not_after = rcgen::date_time_ymd(leaf_ends, 1, 1);
        params.custom_extensions = extensions;
        let leaf_key = key();
        let leaf = params.signed_by(&leaf_key, &between_issuer).unwrap();
        let pkcs8 = leaf_key.serialized_der();
        Self {
            root: root.der().to_vec(),
            between: between.der().to_vec(),
            leaf: leaf.der().to_vec(),
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8).unwrap(),
        }
    }

    pub(crate) fn pin(&self) -> String {
        fingerprint(&self.root)
    }

    /// r and s, big-endian, 48 bytes each.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

/// 2031-01-01, when a synthetic leaf ends.
pub(crate) const LEAF_ENDS_S: u64 = 1_924_992_000;

/// Accepts `kind` with one entry whose fields are `fields`.
pub(crate) fn trust(kind: Kind, fields: &str) -> Trust {
    let text = format!(
        "version = 1\nissued_at_s = 1\nexpires_at_s = 9999999999\n\
         [[workers]]\nid = \"ours\"\nkind = \"{kind}\"\n{fields}\n"
    );
    Trust {
        accept: vec![kind],
        software_keys: Vec::new(),
        measurements: Some(measurements(&text, NOW_S)),
        evidence_age_max_s: 300,
    }
}

pub(crate) fn measurements(text: &str, now_s: u64) -> Measurements {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let public = key.public_key().as_ref().try_into().unwrap();
    let signature = sign(text, pkcs8.as_ref()).unwrap();
    Measurements::verify(text, &signature, &public, 0, now_s).unwrap()
}
