//! Measurements that no longer count, whatever the evidence says.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Entries of `measurements.toml` by name, and workers' programs by SHA-256 in hex. Clones share
/// what they hold; readers never wait.
#[derive(Clone, Default)]
pub struct RevokedMeasurements(Arc<ArcSwap<BTreeSet<String>>>);

impl RevokedMeasurements {
    /// Whether a worker of this measurement, or of this build, gets no session.
    #[must_use]
    pub fn name(&self, measurement: Option<&str>, build_digest: &[u8; 32]) -> bool {
        let names = self.0.load();
        !names.is_empty()
            && (measurement.is_some_and(|name| names.contains(name))
                || names.contains(&hex::encode(build_digest)))
    }

    /// Replaces all of them.
    pub fn set(&self, names: BTreeSet<String>) {
        self.0.store(Arc::new(names));
    }
}
