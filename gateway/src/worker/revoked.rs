//! Measurements that no longer count, whatever the evidence says.

use std::collections::BTreeSet;

use tokio::sync::watch;

/// Entries of `measurements.toml` by name, and workers' programs by SHA-256 in hex. Clones share
/// what they hold.
#[derive(Clone, Default)]
pub struct RevokedMeasurements(watch::Sender<BTreeSet<String>>);

impl RevokedMeasurements {
    /// Whether a worker of this measurement, or of this build, gets no session.
    #[must_use]
    pub fn name(&self, measurement: Option<&str>, build_digest: &[u8; 32]) -> bool {
        is_named(&self.0.borrow(), measurement, build_digest)
    }

    /// Waits until they do name it, if they do not already.
    pub async fn come_to_name(&self, measurement: Option<&str>, build_digest: &[u8; 32]) {
        let mut names = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = names.wait_for(|names| is_named(names, measurement, build_digest)).await;
    }

    /// Replaces all of them.
    pub fn set(&self, names: BTreeSet<String>) {
        self.0.send_replace(names);
    }
}

fn is_named(names: &BTreeSet<String>, measurement: Option<&str>, build_digest: &[u8; 32]) -> bool {
    !names.is_empty()
        && (measurement.is_some_and(|name| names.contains(name))
            || names.contains(&hex::encode(build_digest)))
}

#[cfg(test)]
mod tests {
    use super::RevokedMeasurements;
    use futures_util::FutureExt as _;

    #[test]
    fn who_waits_hears_of_the_measurement_and_of_the_build() {
        let build = [0xab; 32];
        for name in ["measured".to_owned(), "ab".repeat(32)] {
            let revoked = RevokedMeasurements::default();
            let same = revoked.clone();
            let mut named = Box::pin(same.come_to_name(Some("measured"), &build));
            revoked.set(["other".to_owned()].into());
            assert_eq!((&mut named).now_or_never(), None);
            assert!(!revoked.name(Some("measured"), &build));
            revoked.set([name].into());
            assert_eq!(named.now_or_never(), Some(()));
            assert!(revoked.name(Some("measured"), &build));
            // Who comes late does not wait.
            assert_eq!(revoked.come_to_name(Some("measured"), &build).now_or_never(), Some(()));
        }
    }
}
