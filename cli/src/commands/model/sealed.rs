//! Reads, writes and tells of sealed model files.

use std::path::{Path, PathBuf};

use sealgate_keys::KeyError;
use sealgate_keys::at_rest::{CLEAR_BYTES_MAX, SEALED_BYTES_MAX, SealedFile, is_sealed};
use sealgate_model::ARTIFACT_BYTES_MAX;
use serde::Serialize;

use super::artifact;
use super::keks::SealedFor;
use crate::error::CliError;
use crate::output;

/// The bytes of a sealed file. That it is one is seen by its first line.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let bytes = artifact::bytes(path, SEALED_BYTES_MAX)?;
    if is_sealed(&bytes) {
        Ok(bytes)
    } else {
        Err(CliError::ModelNotSealed { path: path.to_owned() })
    }
}

pub(super) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SealedFile<'a>, CliError> {
    SealedFile::parse(bytes).map_err(CliError::sealed_model(path))
}

/// Refuses a file that is there before any work is done for it.
pub(super) fn free(path: &Path) -> Result<(), CliError> {
    match path.symlink_metadata() {
        Ok(_) => Err(CliError::FileExists { path: path.to_owned() }),
        Err(_) => Ok(()),
    }
}

/// Whom a file is sealed for, a line for each.
pub(super) fn tell(sealed: &SealedFile<'_>) -> Result<(), CliError> {
    SealedFor::of(sealed.wraps())
        .iter()
        .try_for_each(|sealed_for| output::line(format_args!("sealed for  {sealed_for}")))
}

/// What a sealed file says without a key.
pub(super) fn inspect(sealed: &SealedFile<'_>, json: bool) -> Result<(), CliError> {
    let (digest, bytes) = (hex::encode(sealed.digest()), sealed.clear_bytes());
    if json {
        let sealed_for = SealedFor::of(sealed.wraps());
        return output::json(&Report { bytes, digest, sealed: true, sealed_for });
    }
    output::line(format_args!("digest      {digest}"))?;
    output::line(format_args!("bytes       {bytes}"))?;
    tell(sealed)
}

#[derive(Serialize)]
struct Report {
    bytes: usize,
    digest: String,
    sealed: bool,
    sealed_for: Vec<SealedFor>,
}

impl CliError {
    /// For `map_err`: which sealed file it was.
    pub(super) fn sealed_model(path: impl Into<PathBuf>) -> impl FnOnce(KeyError) -> Self {
        move |source| Self::SealedModel { path: path.into(), source }
    }
}

/// What can be sealed can be loaded, and the other way round.
const _: () = assert!(CLEAR_BYTES_MAX == ARTIFACT_BYTES_MAX);
