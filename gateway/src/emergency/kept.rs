//! Orders on disk, so that a restart forgets none.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sealgate_policies::Revocation;

use super::Stopped;
use super::order::Standing;

/// Why an order is not in force, or not kept.
#[derive(Debug, thiserror::Error)]
pub enum EmergencyError {
    /// The file of a former run.
    #[error("`{}` cannot be read: {why}\nhint: it holds what an admin has stopped; mend it, or remove it and give the orders again", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// There are as many as can be kept.
    #[error("there are too many orders in force")]
    TooMany,
    /// It is in force, but will not be after a restart.
    #[error("`{}` cannot be written: {source}", file.display())]
    NotKept {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

pub(super) fn read(file: &Path) -> Result<(Stopped, Vec<Revocation>), EmergencyError> {
    let unreadable =
        |why: &dyn ToString| EmergencyError::Unreadable { file: file.into(), why: why.to_string() };
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((Stopped::default(), Vec::new()));
        }
        Err(error) => return Err(unreadable(&error)),
    };
    let standing: Standing = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
    let stopped = Stopped {
        everything: standing.locked_down,
        models: standing.stopped_models,
        measurements: standing.revoked_measurements,
    };
    Ok((stopped, standing.revoked.into_iter().map(Revocation::from).collect()))
}

/// Beside the file first, then renamed over it: there is never half of one.
pub(super) fn write(
    file: &Path,
    stopped: &Stopped,
    revoked: &[Revocation],
) -> Result<(), EmergencyError> {
    let standing = Standing::new(stopped, revoked);
    let written = serde_json::to_vec_pretty(&standing).map_err(io::Error::other).and_then(|text| {
        let beside = file.with_extension("new");
        let mut new = File::create(&beside)?;
        new.set_permissions(Permissions::from_mode(0o600))?;
        new.write_all(&text)?;
        new.sync_all()?;
        fs::rename(&beside, file)?;
        File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
    });
    written.map_err(|source| EmergencyError::NotKept { file: file.into(), source })
}
