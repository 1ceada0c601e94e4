//! The models that are served, each in one version or several.
//!
//! A version is put in place only when a worker has loaded it and answered; what it replaces ends
//! when the last request that it has is answered.

mod choice;
mod order;
mod retire;
mod version;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use serde_json::json;

use crate::pool::Pool;
use crate::worker::{Connection, Supervisor};
pub use choice::choose;
pub use order::by_age;
pub use retire::retire;
pub use version::Version;

/// All models by name. Read by every request, changed by one task.
#[derive(Default)]
pub struct Models {
    served: ArcSwap<BTreeMap<String, Arc<Served>>>,
    /// Versions that are in no list any more. Clients may have keys of their workers for a while.
    retired: Mutex<Vec<Weak<Version>>>,
}

/// One model.
pub struct Served {
    /// The oldest first; at least one.
    versions: Vec<Arc<Version>>,
}

impl Models {
    /// The model of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Arc<Served>> {
        self.served.load().get(name).cloned()
    }

    /// The version and the workers that this worker is one of, for `tenant` or for everybody; also of a
    /// version that was replaced and still answers what clients have its keys for.
    #[must_use]
    pub fn around(
        &self,
        worker: &Arc<Connection>,
        tenant: Option<&Arc<str>>,
    ) -> Option<(Arc<Version>, Arc<Pool>)> {
        let found = |version: Arc<Version>| {
            let pool = version.pool_of(tenant).filter(|pool| pool.has(worker))?;
            Some((version, pool))
        };
        let served = self.named(&worker.model().name);
        let served = served.iter().flat_map(|served| served.versions().iter().cloned());
        served.into_iter().find_map(found).or_else(|| {
            let retired = self.retired().clone();
            retired.iter().filter_map(Weak::upgrade).find_map(found)
        })
    }

    fn retired(&self) -> MutexGuard<'_, Vec<Weak<Version>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a model of this name.
    #[must_use]
    pub fn serves(&self, name: &str) -> bool {
        self.served.load().contains_key(name)
    }

    /// Whether there is one, and each has a worker that answers.
    #[must_use]
    pub fn are_ready(&self) -> bool {
        let models = self.served.load();
        !models.is_empty() && models.values().all(|served| served.is_ready())
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Served>> {
        self.served.load().values().cloned().collect()
    }

    /// All workers' supervisors, of `model` alone if one is named; also those of versions that were
    /// replaced, for clients may still reach them.
    #[must_use]
    pub fn supervisors(&self, model: Option<&str>) -> Vec<Arc<Supervisor>> {
        let models = self.served.load();
        let served = models.values().flat_map(|served| served.versions.iter().cloned());
        let retired = self.retired().clone();
        let versions = served.chain(retired.iter().filter_map(Weak::upgrade));
        let wanted =
            versions.filter(|version| model.is_none_or(|model| model == version.artifact().name));
        let pools = wanted.flat_map(|version| version.pools());
        pools.flat_map(|pool| pool.supervisors()).collect()
    }

    /// Puts a version in place. Gives the one of the same name that it replaces.
    pub fn put(&self, version: Arc<Version>) -> Option<Arc<Version>> {
        let (name, own) = (version.artifact().name.clone(), version.artifact().version.clone());
        let replaced = self.take(&name, &own, Some(version));
        tracing::info!(model = name, version = own, "in service");
        replaced
    }

    /// Takes a version away, and with the last one the model.
    pub fn remove(&self, model: &str, version: &str) -> Option<Arc<Version>> {
        self.take(model, version, None)
    }

    fn take(&self, model: &str, version: &str, new: Option<Arc<Version>>) -> Option<Arc<Version>> {
        let mut models = BTreeMap::clone(&self.served.load());
        let before = models.remove(model).map(|served| served.versions.clone());
        let (gone, mut versions): (Vec<_>, Vec<_>) = before
            .unwrap_or_default()
            .into_iter()
            .partition(|one| one.artifact().version == version);
        versions.extend(new);
        versions.sort_by(|a, b| by_age(&a.artifact().version, &b.artifact().version));
        if !versions.is_empty() {
            models.insert(model.to_owned(), Arc::new(Served { versions }));
        }
        let mut retired = self.retired();
        retired.retain(|version| version.strong_count() > 0);
        retired.extend(gone.iter().map(Arc::downgrade));
        drop(retired);
        self.served.store(Arc::new(models));
        gone.into_iter().next()
    }

    /// All pools.
    #[must_use]
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        let models = self.served.load();
        let versions = models.values().flat_map(|served| &served.versions);
        versions.flat_map(|version| version.pools()).collect()
    }

    /// Ends all workers; none is served any more.
    pub fn stop(&self) {
        let models = self.served.swap(Arc::default());
        models.values().flat_map(|served| &served.versions).for_each(|version| version.stop());
    }
}

impl Served {
    /// The version that answers a request: see [`choose`]. A version that is starting counts only
    /// where there is no other; one that is not there is answered for by the newest, whose worker
    /// refuses.
    #[must_use]
    pub fn version_for(
        &self,
        asked: Option<&str>,
        traffic: &[(String, u32)],
        allowed: Option<&[String]>,
        draw: u64,
    ) -> Option<Arc<Version>> {
        if let [only] = self.versions.as_slice() {
            return Some(Arc::clone(only));
        }
        let ready: Vec<_> = self.versions.iter().filter(|version| version.is_ready()).collect();
        let there: Vec<_> = if ready.is_empty() { self.versions.iter().collect() } else { ready };
        let names: Vec<_> = there.iter().map(|one| one.artifact().version.as_str()).collect();
        let chosen = choose(&names, asked, traffic, allowed, draw);
        let chosen = there.iter().find(|one| Some(one.artifact().version.as_str()) == chosen);
        chosen.or(there.last()).map(|version| Arc::clone(version))
    }

    /// Whether at least one worker answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.versions.iter().any(|version| version.is_ready())
    }

    /// Its versions.
    #[must_use]
    pub fn versions(&self) -> &[Arc<Version>] {
        &self.versions
    }

    /// Its versions, for people.
    #[must_use]
    pub fn standing(&self) -> Vec<serde_json::Value> {
        let told = |version: &Arc<Version>| {
            let artifact = version.artifact();
            json!({
                "model": artifact.name, "version": artifact.version,
                "digest": hex::encode(artifact.digest), "ready": version.is_ready(),
            })
        };
        self.versions.iter().map(told).collect()
    }
}
