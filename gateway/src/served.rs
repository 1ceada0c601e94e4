//! A model that is served: its artifact and the workers that run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use crate::models::Artifact;
use crate::worker::{Connection, Demands, Keyring, Program, Supervisor};

/// One model and its replicas.
pub struct Served {
    artifact: Arc<Artifact>,
    replicas: Vec<Arc<Supervisor>>,
    /// Rung by the supervisors.
    news: Arc<Notify>,
    turn: AtomicUsize,
    waiting: Semaphore,
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
        let (artifact, news) = (Arc::new(artifact), Arc::new(Notify::new()));
        let supervisor = |_| {
            let (program, demands) = (program.clone(), demands.clone());
            let (artifact, keyring) = (artifact.clone(), keyring.clone());
            Arc::new(Supervisor::new(program, demands, artifact, keyring, news.clone()))
        };
        let replicas = (0..replicas).map(supervisor).collect();
        let waiting = Semaphore::new(WAITING_MAX);
        Self { artifact, replicas, news, turn: AtomicUsize::new(0), waiting }
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

    /// The workers that run, for people.
    #[must_use]
    pub fn workers(&self) -> Vec<serde_json::Value> {
        let worker = |replica: &Arc<Supervisor>| {
            let model = self.artifact.name.as_str();
            let facts = replica.connection()?.facts().clone();
            let build_digest = hex::encode(facts.build_digest);
            Some(serde_json::json!({
                "model": model, "pid": replica.pid()?,
                "build_digest": build_digest, "measurement": facts.measurement,
            }))
        };
        self.replicas.iter().filter_map(worker).collect()
    }

    /// Whether at least one worker answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.replicas.iter().any(|replica| replica.connection().is_some())
    }

    /// The worker with the fewest requests waiting, if one is there.
    #[must_use]
    pub fn least_loaded(&self) -> Option<Arc<Connection>> {
        match &self.replicas[..] {
            [only] => only.connection(),
            _ => self.least_loaded_with(|_| Some(())).map(|(connection, ())| connection),
        }
    }

    /// Of the workers that have what `find` looks for, the one with the fewest requests waiting.
    /// Those with equally few take turns.
    fn least_loaded_with<T>(
        &self,
        find: impl Fn(&Arc<Connection>) -> Option<T>,
    ) -> Option<(Arc<Connection>, T)> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.replicas.len().max(1);
        let (before, after) = self.replicas.split_at_checked(first)?;
        let connections = after.iter().chain(before).filter_map(|replica| replica.connection());
        let found = connections.filter_map(|connection| {
            let found = find(&connection)?;
            Some((connection, found))
        });
        found.min_by_key(|(connection, _)| connection.in_flight())
    }

    /// The same, after waiting for a worker that is being started or for keys that are being made,
    /// where not too many wait already.
    pub async fn soon<T>(
        &self,
        patience: Duration,
        find: impl Fn(&Arc<Connection>) -> Option<T>,
    ) -> Option<(Arc<Connection>, T)> {
        let wait = async {
            loop {
                // Asked for before looking, so that what comes in between is not missed.
                let news = self.news.notified();
                if let Some(found) = self.least_loaded_with(&find) {
                    return Some(found);
                }
                let _place = self.waiting.try_acquire().ok()?;
                news.await;
            }
        };
        tokio::time::timeout(patience, wait).await.ok()?
    }
}

/// How many requests may wait for a model's worker: each of them holds one of the gateway's places.
const WAITING_MAX: usize = 16;
