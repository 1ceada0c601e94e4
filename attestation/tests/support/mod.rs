//! Vendors' samples out of the packages that ship them, and trust made to fit them.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use cargo_metadata::{Metadata, MetadataCommand};
use sealgate_attestation::{Claims, Kind, Measurements, Refusal, Trust, Verdict, judge, sign};
use sealgate_keys::Base64;
use sealgate_keys::evidence::Evidence;

pub const CLAIMS: Claims<'_> =
    Claims { build: "sealgate-worker 0.1.0", build_digest: Some(&[9; 32]) };

/// Evidence, what it is bound to, what accepts it, and when.
pub struct Case {
    pub evidence: Evidence,
    pub expected: [u8; 64],
    pub trust: Trust,
    pub now_s: u64,
}

impl Case {
    pub fn judge(&self) -> Result<Verdict, Refusal> {
        judge(&self.evidence, &self.expected, &self.trust, &CLAIMS, self.now_s)
    }

    /// The refusal's code, or `accepted`.
    pub fn code(&self) -> &'static str {
        self.judge().map_or_else(|refusal| refusal.code(), |_| "accepted")
    }
}

/// Accepts `kind` with one entry whose fields are `fields`.
pub fn trust(kind: Kind, fields: &str, now_s: u64) -> Trust {
    let text = format!(
        "version = 1\nissued_at_s = 1\nexpires_at_s = 9999999999\n\
         [[workers]]\nid = \"sample\"\nkind = \"{kind}\"\n{fields}\n"
    );
    let signer = Signer::new();
    let measurements = signer.measurements(&text, now_s);
    let accept = vec![kind];
    Trust { accept, measurements: Some(measurements), evidence_age_max_s: 300, ..Trust::default() }
}

/// An operator's Ed25519 key.
pub struct Signer {
    pub pkcs8: Vec<u8>,
    pub key: Ed25519KeyPair,
}

impl Signer {
    pub fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Self { pkcs8: pkcs8.as_ref().to_vec(), key }
    }

    pub fn public(&self) -> [u8; 32] {
        self.key.public_key().as_ref().try_into().unwrap()
    }

    pub fn measurements(&self, text: &str, now_s: u64) -> Measurements {
        let signature = sign(text, &self.pkcs8).unwrap();
        Measurements::verify(text, &signature, &self.public(), 0, now_s).unwrap()
    }
}

/// A file of a locked package.
pub fn sample(package: &str, path: &str) -> Vec<u8> {
    let file = folder(package).join(path);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// SNP: a report of Milan with its chain, as of 2023 to 2030.
pub fn milan() -> Case {
    let report = hex::decode(sample("sev", "tests/certs_data/report_milan.hex")).unwrap();
    let vcek = sample("sev", "tests/certs_data/vcek_milan.der");
    let [ask, ark] = chain("tests/certs_data/cert_chain_milan");
    let now_s = 1_700_000_000;
    let fields = format!(
        "measurement = \"{}\"\nmin_tcb = {{ bootloader = 3, tee = 0, snp = 8, microcode = 115 }}",
        hex::encode(&report[0x090..0x0c0])
    );
    Case {
        expected: report[0x050..0x090].try_into().unwrap(),
        evidence: Evidence::SevSnp {
            report: Base64(report),
            certificates: [vcek, ask, ark].map(Base64).to_vec(),
        },
        trust: trust(Kind::SevSnp, &fields, now_s),
        now_s,
    }
}

/// ASK and ARK out of a file of AMD's key server.
pub fn chain(path: &str) -> [Vec<u8>; 2] {
    use rustls_pki_types::pem::PemObject;
    let pem = sample("sev", path);
    let all = rustls_pki_types::CertificateDer::pem_slice_iter(&pem);
    all.map(|der| der.unwrap().to_vec()).collect::<Vec<_>>().try_into().unwrap()
}

/// TDX: a quote and collateral, valid from 2025-06-19 for 30 days.
pub fn tdx() -> Case {
    let quote = sample("dcap-qvl", "sample/tdx_quote");
    let collateral = sample("dcap-qvl", "sample/tdx_quote_collateral.json");
    let now_s = 1_751_000_000;
    Case {
        expected: quote[568..632].try_into().unwrap(),
        trust: trust(Kind::Tdx, &format!("mr_td = \"{}\"", hex::encode(&quote[184..232])), now_s),
        evidence: Evidence::Tdx {
            quote: Base64(quote),
            collateral: Some(String::from_utf8(collateral).unwrap()),
        },
        now_s,
    }
}

/// Nitro: a document of 2025-01-06 16:07:05. It carries no user data, so nothing can be expected
/// of it, and the best that can be said of it is that it binds nothing.
pub fn nitro() -> Case {
    let document = sample("nitro_attest", "tests/fixtures/attestation.cose");
    let now_s = 1_736_179_700;
    let fields: String = (0..3)
        .map(|index| format!("pcr{index} = \"{}\"\n", hex::encode(pcr(&document, index))))
        .collect();
    Case {
        expected: [0; 64],
        trust: trust(Kind::Nitro, &fields, now_s),
        evidence: Evidence::Nitro { document: Base64(document) },
        now_s,
    }
}

/// Registers lie behind each other: number, a header of two bytes, 48 bytes.
fn pcr(document: &[u8], index: usize) -> &[u8] {
    let start = document.windows(4).position(|window| window == b"pcrs").unwrap() + 4 + 1;
    let value = start + index * 51 + 3;
    &document[value..value + 48]
}

fn folder(package: &str) -> PathBuf {
    let found = METADATA.packages.iter().find(|found| found.name.as_str() == package);
    let manifest = &found.unwrap_or_else(|| panic!("{package} is not locked")).manifest_path;
    Path::new(manifest.as_std_path()).parent().unwrap().to_owned()
}

/// No platform is given, so that packages of no platform are there too; they are downloaded if
/// they have not been.
static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .expect("cargo metadata of this workspace")
});
