//! `[client_keys]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::worker::KeyLife;

/// `[client_keys]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientKeysConfig {
    /// For how long a worker's keys are offered before it makes new ones, in seconds. Default: 900.
    pub active_s: u32,
    /// For how long they open requests after that, in seconds; then they are destroyed. A key list
    /// may be kept for four fifths of it. Default: 300.
    pub overlap_s: u32,
    /// Where each keyset is kept with its evidence. Default: beside the audit log's folder, with
    /// `-keysets` added to its name.
    pub archive: Option<PathBuf>,
}

impl Default for ClientKeysConfig {
    fn default() -> Self {
        Self { active_s: 900, overlap_s: 300, archive: None }
    }
}

impl ClientKeysConfig {
    /// How long the keys live.
    #[must_use]
    pub fn life(&self) -> KeyLife {
        let [active, overlap] =
            [self.active_s, self.overlap_s].map(|s| Duration::from_secs(s.into()));
        KeyLife { active, overlap }
    }
}
