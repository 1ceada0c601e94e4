//! Whom a person trusts, as it is typed: kinds of evidence, pinned keys, signed measurements.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sealgate_client::{Demands, Kem, Kind, Measurements, Trust};
use sealgate_keys::Base64;

use crate::error::CliError;
use crate::output;
use crate::state::listing::Listing;

/// Who must vouch for a worker.
#[derive(Args)]
pub(crate) struct TrustOptions {
    /// Kind of evidence that is accepted: software, sev-snp, tdx or nitro; may be given several
    /// times
    #[arg(long, value_name = "KIND")]
    accept: Vec<Kind>,
    /// Operator's public key that may sign software evidence; may be given several times
    #[arg(long = "pin", value_name = "BASE64", requires = "accept", value_parser = key)]
    pins: Vec<[u8; 32]>,
    /// What workers must look like; its signature lies beside it with `.sig` added
    #[arg(long, value_name = "FILE", requires = "accept", requires = "measurements_key")]
    measurements: Option<PathBuf>,
    /// Public key that must have signed the measurements
    #[arg(long, value_name = "BASE64", requires = "measurements", value_parser = key)]
    measurements_key: Option<[u8; 32]>,
}

impl TrustOptions {
    /// What evidence is judged by at `now_s`; none when nothing is accepted.
    pub(crate) fn trust(
        &self,
        now_s: u64,
        evidence_age_max_s: u64,
    ) -> Result<Option<Trust>, CliError> {
        if self.accept.is_empty() {
            return Ok(None);
        }
        if self.accept.contains(&Kind::Software) && self.pins.is_empty() {
            return Err(CliError::PinMissing);
        }
        let measurements = match (&self.measurements, &self.measurements_key) {
            (Some(path), Some(key)) => Some(measurements(path, key, now_s)?),
            _ => None,
        };
        let (accept, software_keys) = (self.accept.clone(), self.pins.clone());
        Ok(Some(Trust { accept, software_keys, measurements, evidence_age_max_s }))
    }
}

/// What must hold before anything is sealed.
#[derive(Args)]
pub(crate) struct SealOptions {
    /// Key encapsulation to seal with, and nothing weaker [default: x-wing]
    #[arg(long, value_enum)]
    kem: Option<KemName>,
    /// SHA-256 of the one model that may answer
    #[arg(long, value_name = "HEX", value_parser = digest)]
    model_digest: Option<[u8; 32]>,
    #[command(flatten)]
    trust: TrustOptions,
    /// Go on without evidence, which protects against everybody but the gateway
    #[arg(long, conflicts_with = "accept")]
    unpinned: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum KemName {
    /// ML-KEM-768 and X25519 at once
    XWing,
    /// X25519 alone, which a quantum computer would break
    X25519,
}

impl SealOptions {
    /// Whether any of them was typed.
    pub(crate) fn given(&self) -> bool {
        let Self { kem, model_digest, trust, unpinned } = self;
        kem.is_some() || model_digest.is_some() || !trust.accept.is_empty() || *unpinned
    }

    /// The demands, completed by what the demo on this machine wrote down for its own client.
    pub(crate) fn demands(&self, listing: &Listing, now_s: u64) -> Result<Demands, CliError> {
        let mut demands = match self.trust.trust(now_s, EVIDENCE_AGE_MAX_S)? {
            _ if self.unpinned => {
                output::note("not protected against the gateway");
                Demands::danger_unpinned()
            }
            Some(trust) => Demands::new(trust),
            None => Demands::new(demo_trust(listing)?),
        };
        if let Some(KemName::X25519) = self.kem {
            demands = demands.with_kem(Kem::X25519);
        }
        if let Some(digest) = self.model_digest {
            demands = demands.with_model_digest(digest);
        }
        if let Some(key) = &listing.gateway_receipt_key {
            demands = demands.with_gateway_receipt_key(listed_key(key)?);
        }
        Ok(demands)
    }
}

/// Software evidence by the operator's key that the demo made.
fn demo_trust(listing: &Listing) -> Result<Trust, CliError> {
    let pin = listing.evidence_pin.as_deref().ok_or(CliError::Unpinned)?;
    Ok(Trust {
        accept: vec![Kind::Software],
        software_keys: vec![listed_key(pin)?],
        measurements: None,
        evidence_age_max_s: EVIDENCE_AGE_MAX_S,
    })
}

fn listed_key(text: &str) -> Result<[u8; 32], CliError> {
    key(text).map_err(|why| CliError::StateDamaged { path: "demo.json".into(), why })
}

/// Reads measurements that the pinned key signed and that are valid at `now_s`.
fn measurements(path: &Path, key: &[u8; 32], now_s: u64) -> Result<Measurements, CliError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".sig");
    let beside = PathBuf::from(beside);
    let read = |path: &Path| fs::read_to_string(path).map_err(CliError::io("read", path));
    let (text, signature) = (read(path)?, read(&beside)?);
    let signature = Base64::decode(signature.trim())
        .and_then(|bytes| <[u8; 64]>::try_from(bytes.0).ok())
        .ok_or(CliError::Signature { path: beside })?;
    // A command keeps nothing from one run to the next: the newest version it has seen is this.
    Measurements::verify(&text, &signature, key, 0, now_s)
        .map_err(|source| CliError::Measurements { path: path.to_owned(), source })
}

/// 32 bytes in base64.
pub(crate) fn key(text: &str) -> Result<[u8; 32], String> {
    Base64::decode(text.trim())
        .and_then(|bytes| bytes.0.try_into().ok())
        .ok_or_else(|| "expected 32 bytes in base64".to_owned())
}

/// 32 bytes in hexadecimal.
fn digest(text: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| "expected 64 hexadecimal digits".to_owned())?;
    Ok(bytes)
}

/// How old evidence may be that was made for this client just now.
const EVIDENCE_AGE_MAX_S: u64 = 300;
