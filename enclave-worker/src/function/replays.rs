use std::time::SystemTime;

use sealgate_keys::Keyset;

use crate::protocol::Refusal;

/// Remembers what a function version has opened, for all processes that hold its keys.
///
/// Whoever runs more than one process puts it where all of them reach it: a table with a conditional
/// write, for example.
pub trait ReplayStore: Send + Sync {
    /// Takes `key` for good, in one step that no other process can come between: true for the one
    /// who took it, false for everybody else until `until`. Then it may be forgotten.
    ///
    /// # Errors
    /// [`StoreError`] when that cannot be told. The request is then refused.
    fn claim(&self, key: &[u8; 32], until: SystemTime) -> Result<bool, StoreError>;
}

/// The store could not tell.
#[derive(Debug, thiserror::Error)]
#[error("the store of what was opened: {0}")]
pub struct StoreError(pub String);

/// Who remembers what a function has opened.
pub enum Replays {
    /// This store.
    Store(Box<dyn ReplayStore>),
    /// Nobody: each request is opened as often as it comes within the time of its `Date`. The keyset
    /// says so.
    AtLeastOnce,
}

impl Replays {
    /// What the keyset says of it.
    pub(crate) fn word(&self) -> Option<String> {
        match self {
            Self::Store(_) => None,
            Self::AtLeastOnce => Some(Keyset::AT_LEAST_ONCE.to_owned()),
        }
    }

    pub(crate) fn claim(&self, key: &[u8; 32], until: SystemTime) -> Result<(), Refusal> {
        match self {
            Self::AtLeastOnce => Ok(()),
            Self::Store(store) => match store.claim(key, until) {
                Ok(true) => Ok(()),
                Ok(false) => Err(Refusal::Replayed),
                Err(error) => {
                    tracing::error!(%error, "a request was refused");
                    Err(Refusal::ReplaysUnknown)
                }
            },
        }
    }
}
