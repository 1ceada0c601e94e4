//! A demo's state folder: everything that outlives one run of it.
//!
//! ```text
//! STATE/demo.lock           held while a demo runs
//! STATE/demo.json           how to reach it, only while it runs
//! STATE/gateway.toml        made once; later only the demo's own entries are kept current
//! STATE/worker.toml         made once
//! STATE/gateway.log         what the gateway of the last run said
//! STATE/tls/                authority and certificate
//! STATE/keys/               the dev issuer's key, the audit log's key
//! STATE/operator.key        vouches for the worker; its public half is pinned
//! STATE/policies/           copied once from the folder that comes with Sealgate
//! STATE/models/NAME/VERSION/model.safetensors
//! STATE/audit/              the audit log and nothing else
//! STATE/checkpoint          a copy of the log's last checkpoint
//! STATE/token, example.json what the printed commands use
//! ```

pub(crate) mod config;
pub(crate) mod example;
pub(crate) mod files;
pub(crate) mod issuer;
pub(crate) mod listing;
pub(crate) mod model;
pub(crate) mod policies;
pub(crate) mod tls;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// A state folder, by its absolute path.
pub(crate) struct State {
    dir: PathBuf,
}

impl State {
    /// Makes the folder, or takes one that is empty or already a state.
    ///
    /// # Errors
    ///
    /// When something else lies in it: its permissions are about to be changed.
    pub(crate) fn create(dir: &Path) -> Result<Self, CliError> {
        files::private_dir(dir)?;
        let dir = dir.canonicalize().map_err(CliError::io("find", dir))?;
        let state = Self { dir };
        if !state.lock_file().exists() && !files::is_empty(&state.dir)? {
            return Err(CliError::StateForeign { dir: state.dir });
        }
        files::make_private(&state.dir)?;
        Ok(state)
    }

    /// A folder in which a demo has run.
    pub(crate) fn open(dir: &Path) -> Result<Self, CliError> {
        let missing = || CliError::StateMissing { dir: dir.to_owned() };
        let state = Self { dir: dir.canonicalize().map_err(|_| missing())? };
        if state.lock_file().exists() { Ok(state) } else { Err(missing()) }
    }

    /// Keeps other demos away for as long as the answer lives, and not longer, however it ends.
    pub(crate) fn lock(&self) -> Result<Lock, CliError> {
        let path = self.lock_file();
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(CliError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(CliError::StateInUse { dir: self.dir.clone() }),
            Err(TryLockError::Error(source)) => Err(CliError::io("lock", path)(source)),
        }
    }

    /// The folder itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Something in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn lock_file(&self) -> PathBuf {
        self.path("demo.lock")
    }
}

/// The right to change a state. The kernel takes it back when the process ends.
pub(crate) struct Lock {
    _file: File,
}
