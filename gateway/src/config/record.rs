//! `[audit]` and `[receipts]`: what is kept and signed of each request.

use std::path::PathBuf;

use serde::Deserialize;

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// The log's folder; nothing else may lie in it.
    pub dir: PathBuf,
    /// The Ed25519 key that signs checkpoints (PKCS#8); made when missing.
    pub key: PathBuf,
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
