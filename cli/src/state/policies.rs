//! The policy folder: copied once, then the admin's; only the dev issuer's key is put back.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::issuer::DevIssuer;
use super::{State, files};
use crate::error::CliError;

/// Copies the folder that comes with Sealgate if there is none, and sees to it that the dev
/// issuer's tokens can be checked by it.
pub(crate) fn prepare(state: &State, issuer: &DevIssuer) -> Result<PathBuf, CliError> {
    let dir = state.path("policies");
    if !dir.exists() {
        copy_default(state, &dir)?;
    }
    publish(&dir.join("jwks/dev.json"), issuer)?;
    Ok(dir)
}

/// Renamed into place, so that a copy broken off halfway is never taken for a policy.
fn copy_default(state: &State, dir: &Path) -> Result<(), CliError> {
    let fresh = tempfile::Builder::new()
        .prefix(".policies-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(state.dir())
        .map_err(CliError::io("write", dir))?;
    for (path, text) in sealgate_policies::default_folder() {
        let file = fresh.path().join(path);
        if let Some(folder) = file.parent() {
            files::private_dir(folder)?;
        }
        files::replace(&file, text.as_bytes())?;
    }
    std::fs::rename(fresh.keep(), dir).map_err(CliError::io("write", dir))
}

/// Adds the public key, beside those that may be there already.
fn publish(path: &Path, issuer: &DevIssuer) -> Result<(), CliError> {
    let text = files::read_if_there(path)?.unwrap_or_else(|| r#"{"keys":[]}"#.to_owned());
    let damaged = |why: &str| CliError::StateDamaged { path: path.to_owned(), why: why.to_owned() };
    let mut set: Value = serde_json::from_str(&text).map_err(|_| damaged("it is not JSON"))?;
    let keys = set.get_mut("keys").and_then(Value::as_array_mut);
    let keys = keys.ok_or_else(|| damaged("it is no JWK set"))?;
    if keys.iter().any(|key| key.get("kid") == Some(&json!(issuer.key_id()))) {
        return Ok(());
    }
    keys.push(issuer.jwk());
    let text = serde_json::to_string_pretty(&set).map_err(CliError::Json)?;
    files::replace(path, format!("{text}\n").as_bytes())
}
