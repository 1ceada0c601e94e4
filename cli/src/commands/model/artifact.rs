//! Finds and reads an artifact: a file, or the only one in a folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sealgate_model::{ARTIFACT_BYTES_MAX, Artifact};

use crate::error::CliError;

/// Reads the artifact at `path`, or the only one in the folder at `path` and those below.
pub(crate) fn read(path: &Path) -> Result<Artifact, CliError> {
    let path = if path.is_dir() { only_one(path)? } else { path.to_owned() };
    let file = File::open(&path).map_err(CliError::io("open", &path))?;
    let mut bytes = Vec::new();
    // One byte more than an artifact may have, for the parser to refuse.
    let bound = ARTIFACT_BYTES_MAX as u64 + 1;
    file.take(bound).read_to_end(&mut bytes).map_err(CliError::io("read", &path))?;
    Artifact::parse(&bytes).map_err(|source| CliError::Artifact { path, source })
}

fn only_one(dir: &Path) -> Result<PathBuf, CliError> {
    let mut found = Vec::new();
    collect(dir, DEPTH_MAX, &mut found)?;
    match <[PathBuf; 1]>::try_from(found) {
        Ok([path]) => Ok(path),
        Err(found) => Err(CliError::ArtifactCount { dir: dir.to_owned(), found: found.len() }),
    }
}

/// Links are not followed: they could lead around in a circle.
fn collect(dir: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    for entry in fs::read_dir(dir).map_err(CliError::io("read", dir))? {
        let entry = entry.map_err(CliError::io("read", dir))?;
        let kind = entry.file_type().map_err(CliError::io("read", dir))?;
        let path = entry.path();
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, found)?;
        } else if path.extension().is_some_and(|extension| extension == "safetensors") {
            found.push(path);
        }
    }
    Ok(())
}

/// NAME/VERSION and some more.
const DEPTH_MAX: u32 = 4;
