//! Looks after the folder: a change of it, or SIGHUP, has it read again.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch::Receiver;
use tokio::time::{MissedTickBehavior, interval};

use super::fingerprint::Fingerprint;
use super::{Cause, Policy};
use crate::journal::Journal;

/// Reloads until `stopped` says so.
///
/// A change counts once the folder has kept still from one look to the next: an editor or a copy
/// takes its time, and half of its work must not be read. Pointing a symlink at another folder is
/// the sure way, for it changes everything at once.
pub async fn watch(
    policy: Arc<Policy>,
    journal: Arc<Journal>,
    mut hangup: Signal,
    mut stopped: Receiver<bool>,
) {
    let mut looks = interval(BETWEEN_LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        let cause = tokio::select! {
            _ = stopped.wait_for(|&stop| stop) => return,
            _ = hangup.recv() => Cause::Signal,
            _ = looks.tick() => Cause::Changed,
        };
        let now = look(&policy).await;
        let steady = now == last;
        last = now;
        if cause == Cause::Signal || (steady && now != policy.last().fingerprint) {
            reload(&policy, &journal, cause).await;
        }
    }
}

async fn look(policy: &Arc<Policy>) -> Option<Fingerprint> {
    let policy = policy.clone();
    tokio::task::spawn_blocking(move || Fingerprint::of(&policy.dir).ok()).await.ok().flatten()
}

/// What is wrong has been logged and recorded by the time this returns.
async fn reload(policy: &Arc<Policy>, journal: &Arc<Journal>, cause: Cause) {
    let (policy, journal) = (policy.clone(), journal.clone());
    let _ = tokio::task::spawn_blocking(move || policy.reload(cause, &journal)).await;
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
