//! The folder that models come from while the gateway runs.
//!
//! What is put there is read, given to new workers, loaded and run once by them, and only then put
//! in the place of what it replaces. Whatever fails on that way leaves everything as it was, is said
//! to the operator, and is not tried again before the file changes.

mod record;
mod scan;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::catalog::RESERVED;
use crate::journal::Journal;
use crate::models::{Artifact, Keks};
use crate::pool::{Launcher, PoolScaling};
use crate::served::{Models, Version, retire};
use scan::{Found, Key, Stamp, scan};

/// The repository, and what has become of what lies in it.
pub struct Repository {
    dir: PathBuf,
    scaling: ScalingOf,
    /// How long clients may keep keys of a worker whose version was replaced.
    grace: Duration,
    keks: Arc<Keks>,
    journal: Arc<Journal>,
    refused: Mutex<BTreeMap<Key, String>>,
    loading: Mutex<Option<Key>>,
}

/// Where it is and how much of it is run.
pub struct RepositoryOptions {
    /// The folder.
    pub dir: PathBuf,
    /// How the workers of each version of a model are scaled.
    pub scaling: ScalingOf,
    /// How long clients may keep keys of a worker whose version was replaced.
    pub grace: Duration,
}

/// How the workers of a model are scaled, by its name.
pub type ScalingOf = Box<dyn Fn(&str) -> PoolScaling + Send + Sync>;

impl Repository {
    /// One that has not been looked at.
    #[must_use]
    pub fn new(options: RepositoryOptions, keks: Arc<Keks>, journal: Arc<Journal>) -> Self {
        let RepositoryOptions { dir, scaling, grace } = options;
        let (refused, loading) = (Mutex::default(), Mutex::default());
        Self { dir, scaling, grace, keks, journal, refused, loading }
    }

    /// Model and version of what lies there and is not served, and why.
    #[must_use]
    pub fn refused(&self) -> Vec<((String, String), String)> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().map(|(key, why)| (key.clone(), why.clone())).collect()
    }

    /// Model and version of what is being loaded.
    #[must_use]
    pub fn loading(&self) -> Option<(String, String)> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves what lies in the folder, as it changes, until `stop`. Looks again at every `hangup`
    /// and every second.
    pub async fn keep(
        self: Arc<Self>,
        models: Arc<Models>,
        launcher: Launcher,
        mut hangup: Signal,
        mut stop: watch::Receiver<bool>,
    ) {
        let (mut seen, stopped) = (BTreeMap::new(), stop.clone());
        while !*stop.borrow() {
            tokio::select! {
                () = self.look(&models, &launcher, &mut seen, &stopped) => {}
                _ = stop.wait_for(|&stop| stop) => return,
            }
            tokio::select! {
                _ = stop.wait_for(|&stop| stop) => {}
                _ = hangup.recv() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn look(
        &self,
        models: &Models,
        launcher: &Launcher,
        seen: &mut BTreeMap<Key, Option<Stamp>>,
        stop: &watch::Receiver<bool>,
    ) {
        let dir = self.dir.clone();
        let found = match blocking(move || scan(&dir)).await {
            Ok(found) => found,
            // Nothing is known of what lies there: everything stays.
            Err(error) => {
                if seen.insert(Key::default(), None).is_none() {
                    tracing::error!(%error, dir = %self.dir.display(), "the model repository cannot be read");
                }
                return;
            }
        };
        seen.remove(&Key::default());
        let gone: Vec<_> = seen.keys().filter(|key| !found.contains_key(*key)).cloned().collect();
        for (key, file) in &found {
            if seen.get(key) != Some(&Some(file.stamp)) {
                seen.insert(key.clone(), Some(file.stamp));
                self.bring(models, launcher, key, file, stop).await;
            }
        }
        // Only now: what takes their place is there.
        for key in gone {
            seen.remove(&key);
            self.forgive(&key);
            if let Some(version) = models.remove(&key.0, &key.1) {
                self.journal.note(&record::withdrawn(version.artifact()));
                tracing::info!(model = key.0, version = key.1, "taken out of service");
                tokio::spawn(retire(version, self.grace, stop.clone()));
            }
        }
    }

    async fn bring(
        &self,
        models: &Models,
        launcher: &Launcher,
        key: &Key,
        file: &Found,
        stop: &watch::Receiver<bool>,
    ) {
        let (model, version) = key;
        let loading = |key| *self.loading.lock().unwrap_or_else(PoisonError::into_inner) = key;
        loading(Some(key.clone()));
        let loaded = self.load(models, launcher, key, file).await;
        loading(None);
        match loaded {
            Ok(None) => self.forgive(key),
            Ok(Some(new)) => {
                self.forgive(key);
                // Before anybody is answered by it.
                self.journal.note(&record::served(new.artifact(), models.named(model)));
                if let Some(replaced) = models.put(new) {
                    tokio::spawn(retire(replaced, self.grace, stop.clone()));
                }
            }
            Err(why) => {
                tracing::error!(model, version, why, "not put in service: what is served stays");
                self.journal.note(&record::refused(key, &why));
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                refused.insert(key.clone(), why);
            }
        }
    }

    /// The version, loaded and answering; nothing if it is served already.
    async fn load(
        &self,
        models: &Models,
        launcher: &Launcher,
        (model, version): &Key,
        file: &Found,
    ) -> Result<Option<Arc<Version>>, String> {
        if model == RESERVED {
            return Err(format!("no model can have the name `{RESERVED}`: its path is taken"));
        }
        let (name, own, path) = (model.clone(), version.clone(), file.path.clone());
        let keks = self.keks.clone();
        let artifact = blocking(move || Artifact::read(&name, &own, &path, &keks)).await;
        let artifact = artifact.map_err(|error| error.to_string())?;
        let served = models.named(model);
        let same = |one: &Arc<Version>| {
            one.artifact().version == *version && one.artifact().digest == artifact.digest
        };
        if served.is_some_and(|served| served.versions().iter().any(same)) {
            return Ok(None);
        }
        let scaling = (self.scaling)(model);
        if !launcher.has_room_for(scaling.at_first()) {
            return Err("there are as many workers as there may be".to_owned());
        }
        let new = Version::launch(launcher, artifact, scaling);
        match timeout(START_TIME_MAX, new.started()).await {
            Ok(Ok(())) => Ok(Some(new)),
            Ok(Err(why)) => {
                new.stop();
                Err(why)
            }
            Err(_) => {
                new.stop();
                Err("its worker did not answer in time".to_owned())
            }
        }
    }

    fn forgive(&self, key: &Key) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Files are read where it may take as long as it takes.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

const LOOK_AGAIN: Duration = Duration::from_secs(1);
const START_TIME_MAX: Duration = Duration::from_secs(15);
