//! What evidence a worker must show before it gets a session.

use std::path::{Path, PathBuf};

use sealgate_attestation::{Kind, Measurements, Trust};
use sealgate_keys::Base64;
use serde::Deserialize;

use crate::config::ConfigError;

/// `[attestation]`. Without this section a worker is believed because the gateway started it and
/// passed it the session's secret; the record then says `none`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationConfig {
    /// The kinds of evidence that are accepted: `software`, `sev-snp`, `tdx`, `nitro`.
    pub accept: Vec<Kind>,
    /// The Ed25519 keys, in base64, that may sign software evidence. Default: none.
    #[serde(default)]
    pub software_keys: Vec<Base64>,
    /// `measurements.toml`; its signature, 64 bytes in base64, lies beside it with `.sig` added.
    /// Default: none; then only software evidence can be accepted.
    #[serde(default)]
    pub measurements: Option<PathBuf>,
    /// The Ed25519 key, in base64, that signs the measurements. Default: none.
    #[serde(default)]
    pub measurements_key: Option<Base64>,
    /// How old evidence may be, in seconds. Default: 300.
    #[serde(default = "evidence_age_max_s")]
    pub evidence_age_max_s: u64,
}

impl AttestationConfig {
    /// Reads the measurements, which must be no older than `newest_seen`, and puts together what
    /// the judge goes by.
    ///
    /// # Errors
    /// [`ConfigError`], naming the setting or file and what is wrong with it.
    pub fn trust(&self, newest_seen: u64, now_s: u64) -> Result<Trust, ConfigError> {
        if self.accept.is_empty() {
            return Err(setting("`attestation.accept` names no kind, so no worker could serve"));
        }
        let software_keys = self
            .software_keys
            .iter()
            .map(|key| key32(key, "`attestation.software_keys` must hold keys of 32 bytes"))
            .collect::<Result<_, _>>()?;
        let measurements = match (&self.measurements, &self.measurements_key) {
            (None, None) => None,
            (Some(path), Some(key)) => Some(measurements(path, key, newest_seen, now_s)?),
            _ => {
                return Err(setting(
                    "`attestation.measurements` and `attestation.measurements_key` go together",
                ));
            }
        };
        let evidence_age_max_s = self.evidence_age_max_s;
        Ok(Trust { accept: self.accept.clone(), software_keys, measurements, evidence_age_max_s })
    }
}

fn measurements(
    path: &Path,
    key: &Base64,
    newest_seen: u64,
    now_s: u64,
) -> Result<Measurements, ConfigError> {
    let mut signature_path = path.as_os_str().to_owned();
    signature_path.push(".sig");
    let signature_path = PathBuf::from(signature_path);
    let (text, signature) = (read(path)?, read(&signature_path)?);
    let signature = Base64::decode(signature.trim())
        .and_then(|bytes| <[u8; 64]>::try_from(bytes.0).ok())
        .ok_or_else(|| {
            ConfigError::Setting(format!("`{}` is no signature", signature_path.display()))
        })?;
    let key = key32(key, "`attestation.measurements_key` must be a key of 32 bytes")?;
    Measurements::verify(&text, &signature, &key, newest_seen, now_s)
        .map_err(|error| ConfigError::Setting(format!("`{}`: {error}", path.display())))
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { file: path.into(), source })
}

fn key32(key: &Base64, rule: &str) -> Result<[u8; 32], ConfigError> {
    key.0.as_slice().try_into().map_err(|_| setting(rule))
}

fn setting(rule: &str) -> ConfigError {
    ConfigError::Setting(rule.to_owned())
}

const fn evidence_age_max_s() -> u64 {
    300
}
