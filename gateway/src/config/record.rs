//! `[audit]` and `[receipts]`: what is kept and signed of each request.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::time::Duration;

use sealgate_audit::Retention;
use serde::Deserialize;

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// The log's folder; nothing else may lie in it.
    pub dir: PathBuf,
    /// The Ed25519 key that signs checkpoints (PKCS#8); made when missing.
    pub key: PathBuf,
    /// The key that signed so far, when `key` is a new one; not needed once the log says so.
    /// Default: none.
    #[serde(default)]
    pub previous_key: Option<PathBuf>,
    /// A second place for the latest checkpoint; another account or host is best. Default: none.
    #[serde(default)]
    pub checkpoint_copy: Option<PathBuf>,
    /// The log's name in its checkpoints. Default: `sealgate.local/audit`.
    #[serde(default = "origin")]
    pub origin: String,
    /// Bytes that must stay free on the log's disk; below it requests are refused.
    /// Default: 67,108,864.
    #[serde(default = "low_water_bytes")]
    pub low_water_bytes: u64,
    /// Days after which whole segments of records go. Default: never.
    #[serde(default)]
    pub keep_days: Option<NonZeroU32>,
    /// Bytes of records above which the oldest segments go. Default: none.
    #[serde(default)]
    pub keep_bytes: Option<NonZeroU64>,
    /// How people are named: `clear` or `pseudonymous`. Default: `clear`.
    #[serde(default)]
    pub names: NamesConfig,
    /// The folder of the keys of pseudonyms. Default: the log's, with `-pseudonyms` behind.
    #[serde(default)]
    pub pseudonym_keys: Option<PathBuf>,
}

/// How the record names people.
#[derive(Debug, Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum NamesConfig {
    /// By the words of their tokens.
    #[default]
    Clear,
    /// By keyed pseudonyms.
    Pseudonymous,
}

impl AuditConfig {
    /// Which records may go.
    #[must_use]
    pub fn retention(&self) -> Retention {
        let age = |days: NonZeroU32| Duration::from_secs(u64::from(days.get()) * 86_400);
        Retention { age: self.keep_days.map(age), bytes: self.keep_bytes.map(NonZeroU64::get) }
    }
}

/// `[receipts]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptsConfig {
    /// The Ed25519 key (PKCS#8) that signs receipts of refusals and nothing else; made when
    /// missing.
    pub key: PathBuf,
}

fn origin() -> String {
    "sealgate.local/audit".to_owned()
}

const fn low_water_bytes() -> u64 {
    64 << 20
}
