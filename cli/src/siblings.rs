//! The other binaries: they lie beside this one.

use std::path::PathBuf;

use crate::error::CliError;

/// Finds `name` in the folder of the running executable.
///
/// Never in `PATH`: what is started there with the demo's keys could be anything.
///
/// # Errors
///
/// When it is not there.
pub(crate) fn find(name: &'static str) -> Result<PathBuf, CliError> {
    let own = std::env::current_exe().map_err(|source| CliError::Io {
        doing: "find",
        path: "sealgate".into(),
        source,
    })?;
    let dir = own.parent().map(ToOwned::to_owned).unwrap_or_default();
    let path = dir.join(name);
    if path.is_file() { Ok(path) } else { Err(CliError::SiblingMissing { name, dir }) }
}
