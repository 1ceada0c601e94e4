//! A model that is served: its artifact and the workers that run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::models::Artifact;
use crate::worker::{Connection, Demands, Keyring, Program, Supervisor};

/// One model and its replicas.
pub struct Served {
    artifact: Arc<Artifact>,
    replicas: Vec<Arc<Supervisor>>,
    started: Arc<Notify>,
    turn: AtomicUsize,
}

impl Served {
    /// A model with so many replicas; each [`Supervisor::run`] starts one.
    #[must_use]
    pub fn new(
        program: &Program,
        demands: &Demands,
        artifact: Artifact,
        replicas: usize,
        keyring: &Arc<Keyring>,
    ) -> Self {
        let (artifact, started) = (Arc::new(artifact), Arc::new(Notify::new()));
        let supervisor = |_| {
            let (program, demands) = (program.clone(), demands.clone());
            let (artifact, keyring) = (artifact.clone(), keyring.clone());
            Arc::new(Supervisor::new(program, demands, artifact, keyring, started.clone()))
        };
        let replicas = (0..replicas).map(supervisor).collect();
        Self { artifact, replicas, started, turn: AtomicUsize::new(0) }
    }

    /// Name, version and digest.
    #[must_use]
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// Those who keep the workers running.
    #[must_use]
    pub fn supervisors(&self) -> &[Arc<Supervisor>] {
        &self.replicas
    }

    /// Whether at least one worker answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.replicas.iter().any(|replica| replica.connection().is_some())
    }

    /// The worker with the fewest requests waiting, if one is there.
    #[must_use]
    pub fn least_loaded(&self) -> Option<Arc<Connection>> {
        let [only] = &self.replicas[..] else { return self.least_loaded_of_many() };
        only.connection()
    }

    /// Those with equally few take turns.
    fn least_loaded_of_many(&self) -> Option<Arc<Connection>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.replicas.len().max(1);
        let (before, after) = self.replicas.split_at_checked(first)?;
        let in_turn = after.iter().chain(before).filter_map(|replica| replica.connection());
        in_turn.min_by_key(|connection| connection.in_flight())
    }

    /// The same, after waiting for one that is being started.
    pub async fn soon(&self, patience: Duration) -> Option<Arc<Connection>> {
        let wait = async {
            loop {
                // Asked for before looking, so that a start in between is not missed.
                let started = self.started.notified();
                if let Some(connection) = self.least_loaded() {
                    return connection;
                }
                started.await;
            }
        };
        tokio::time::timeout(patience, wait).await.ok()
    }
}
