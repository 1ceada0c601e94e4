//! The end of a version that was replaced.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Version;

/// Ends a version's workers once nobody asks it any more.
///
/// Clients may have keys of its workers, which die with them: for as long as they may keep a list of
/// keys (`grace`) the workers stay. It is in no list of versions any more, so no client gets these
/// keys now.
pub async fn retire(version: Arc<Version>, grace: Duration, mut stop: watch::Receiver<bool>) {
    let unused = async {
        if version.was_given_to_clients() {
            sleep(grace).await;
        }
        // Every request holds the version that answers it.
        while Arc::strong_count(&version) > 1 {
            sleep(LOOK_AGAIN).await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(grace + PATIENCE, unused) => {}
        _ = stop.wait_for(|&stop| stop) => {}
    }
    version.stop();
}

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
