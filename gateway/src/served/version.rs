//! One version of a model: its artifact and the workers that run it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sealgate_audit::Text;
use sealgate_policies::Workers;

use crate::models::Artifact;
use crate::pool::{Launcher, Pool, PoolScaling};

/// A version and its workers. Whoever asks it something holds it, so that it does not end before.
pub struct Version {
    artifact: Arc<Artifact>,
    /// Its digest in hex, as each of its requests' records has it.
    digest: Text,
    launcher: Launcher,
    scaling: PoolScaling,
    /// For everybody whose policy gives him no workers of his own. It also tries the artifact.
    shared: Arc<Pool>,
    /// Of tenants that share workers with nobody.
    own: Mutex<HashMap<Arc<str>, Arc<Pool>>>,
}

impl Version {
    /// Starts workers for an artifact, and keeps as many running as are needed until it is stopped.
    #[must_use]
    pub fn launch(launcher: &Launcher, artifact: Artifact, scaling: PoolScaling) -> Arc<Self> {
        let artifact = Arc::new(artifact);
        let shared = launcher.launch(artifact.clone(), None, scaling);
        let (own, digest) = (Mutex::default(), hex::encode(artifact.digest).into());
        Arc::new(Self { artifact, digest, launcher: launcher.clone(), scaling, shared, own })
    }

    /// Returns once its first worker answers.
    ///
    /// # Errors
    /// Why its first worker could not be started; it is tried again and again until [`Self::stop`].
    pub async fn started(&self) -> Result<(), String> {
        self.shared.started().await
    }

    /// The workers that a tenant's requests go to; none when there are pools for as many tenants as
    /// there may be.
    #[must_use]
    pub fn pool(&self, workers: Workers, tenant: Option<&Arc<str>>) -> Option<Arc<Pool>> {
        let (Workers::PerTenant, Some(tenant)) = (workers, tenant) else {
            return Some(self.shared.clone());
        };
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = own.get(tenant) {
            return Some(pool.clone());
        }
        if own.len() >= TENANTS_MAX {
            return None;
        }
        // Whatever the others keep: a tenant that nobody asks for costs nothing.
        let scaling = PoolScaling { min: 0, ..self.scaling };
        let pool = self.launcher.launch(self.artifact.clone(), Some(tenant.clone()), scaling);
        own.insert(tenant.clone(), pool.clone());
        Some(pool)
    }

    /// The workers of this tenant alone, or those for everybody, where they have been needed so far.
    #[must_use]
    pub fn pool_of(&self, tenant: Option<&Arc<str>>) -> Option<Arc<Pool>> {
        let Some(tenant) = tenant else { return Some(self.shared.clone()) };
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.get(tenant).cloned()
    }

    /// Ends its workers.
    pub fn stop(&self) {
        self.pools().iter().for_each(|pool| pool.stop());
    }

    /// Whether a client may hold keys of one of its workers.
    #[must_use]
    pub fn was_given_to_clients(&self) -> bool {
        self.pools().iter().any(|pool| pool.was_given_to_clients())
    }

    /// Name, version and digest.
    #[must_use]
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// SHA-256 of its file in hex, as records have it.
    #[must_use]
    pub const fn digest(&self) -> &Text {
        &self.digest
    }

    /// Its workers for everybody, then those of each tenant that has his own.
    #[must_use]
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&self.shared).chain(own.values()).cloned().collect()
    }

    /// The workers that run, for people.
    #[must_use]
    pub fn workers(&self) -> Vec<serde_json::Value> {
        let supervisors = self.pools().into_iter().flat_map(|pool| pool.supervisors());
        let worker = |replica: Arc<crate::worker::Supervisor>| {
            let model = self.artifact.name.as_str();
            let (facts, identity) = (replica.connection()?.facts().clone(), replica.identity()?);
            let build_digest = hex::encode(facts.build_digest);
            Some(serde_json::json!({
                "model": model, "pid": identity.pid, "address": identity.address,
                "build_digest": build_digest, "measurement": facts.measurement,
            }))
        };
        supervisors.filter_map(worker).collect()
    }

    /// Whether a request can expect an answer.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shared.is_ready()
    }
}

/// Tenants with workers of their own, each with a little of the gateway's memory.
const TENANTS_MAX: usize = 1024;
