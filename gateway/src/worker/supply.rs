//! Where workers come from: this host, or others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Begun, Remote, Source, WorkerError};

/// Gives workers, one for each session.
#[derive(Clone)]
pub enum Supply {
    /// Processes that we start.
    Local(Source),
    /// Processes of other hosts, which wait for us.
    Remote(Arc<Remote>),
}

impl Supply {
    /// A worker; of a model that is split, with its other `parts`.
    ///
    /// # Errors
    /// [`WorkerError`], saying why there is none.
    pub async fn worker(&self, parts: usize) -> Result<Begun, WorkerError> {
        match self {
            Self::Local(source) => source.start(parts).map(Begun::from),
            Self::Remote(_) if parts > 0 => Err(WorkerError::SplitModel),
            Self::Remote(remote) => remote.reach().await,
        }
    }

    /// How many there can be at once, if that is not only for the configuration to say.
    #[must_use]
    pub fn workers_max(&self) -> Option<usize> {
        match self {
            Self::Local(_) => None,
            Self::Remote(remote) => Some(remote.known()),
        }
    }

    /// Finds out what there is before anybody asks for it.
    pub async fn look_around(&self) {
        if let Self::Remote(remote) = self {
            remote.look_up().await;
        }
    }

    /// Keeps spare workers, or knows where workers are, until `stopped`.
    pub async fn keep(self, mut stopped: watch::Receiver<bool>) {
        match self {
            Self::Local(source) => keep_spares(source, stopped).await,
            Self::Remote(remote) => {
                tokio::select! {
                    () = remote.keep_looking_up() => {}
                    _ = stopped.wait_for(|&stop| stop) => {}
                }
            }
        }
    }
}

async fn keep_spares(source: Source, mut stopped: watch::Receiver<bool>) {
    loop {
        if let Err(error) = source.fill() {
            tracing::warn!(%error, "no spare worker");
        }
        let pause = tokio::time::timeout(SPARES_PAUSE, stopped.wait_for(|&stop| stop));
        if pause.await.is_ok() {
            return source.clear();
        }
    }
}

/// How soon a spare worker that was taken is replaced.
const SPARES_PAUSE: Duration = Duration::from_millis(500);
