//! Finds and reads an artifact: a file, or the only one in a folder.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sealgate_keys::at_rest::is_sealed;
use sealgate_model::{ARTIFACT_BYTES_MAX, Artifact};

use crate::error::CliError;

/// Reads the artifact at `path`, or the only one in the folder at `path` and those below.
pub(crate) fn read(path: &Path) -> Result<Artifact, CliError> {
    read_with_size(path).map(|(artifact, _)| artifact)
}

/// The same, and how many bytes its file has.
pub(crate) fn read_with_size(path: &Path) -> Result<(Artifact, usize), CliError> {
    let path = find(path)?;
    let bytes = bytes(&path, ARTIFACT_BYTES_MAX)?;
    Ok((parse(&path, &bytes)?, bytes.len()))
}

/// Every file in a folder and those below that is `wanted` by its name, in order.
pub(crate) fn files_below(
    dir: &Path,
    wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    collect(dir, DEPTH_MAX, &wanted, &mut found)?;
    found.sort();
    Ok(found)
}

/// The file at `path`, or the only one in the folder at `path` and those below.
pub(crate) fn find(path: &Path) -> Result<PathBuf, CliError> {
    if path.is_dir() { only_one(path) } else { Ok(path.to_owned()) }
}

/// The bytes of a file, and one more than `bytes_max` of a longer one, for the parser to refuse.
pub(crate) fn bytes(path: &Path, bytes_max: usize) -> Result<Vec<u8>, CliError> {
    let file = File::open(path).map_err(CliError::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(CliError::io("read", path))?;
    Ok(bytes)
}

/// Reads an artifact's bytes. A sealed file has none to be read without a key.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Artifact, CliError> {
    let path = path.to_owned();
    if is_sealed(bytes) {
        return Err(CliError::ModelSealed { path });
    }
    Artifact::parse(bytes).map_err(|source| CliError::Artifact { path, source })
}

fn only_one(dir: &Path) -> Result<PathBuf, CliError> {
    let is_called_so = |path: &Path| path.extension().is_some_and(|name| name == "safetensors");
    match <[PathBuf; 1]>::try_from(files_below(dir, is_called_so)?) {
        Ok([path]) => Ok(path),
        Err(found) => Err(CliError::ArtifactCount { dir: dir.to_owned(), found: found.len() }),
    }
}

/// Links are not followed: they could lead around in a circle.
fn collect(
    dir: &Path,
    depth: u32,
    wanted: &impl Fn(&Path) -> bool,
    found: &mut Vec<PathBuf>,
) -> Result<(), CliError> {
    for entry in fs::read_dir(dir).map_err(CliError::io("read", dir))? {
        let entry = entry.map_err(CliError::io("read", dir))?;
        let kind = entry.file_type().map_err(CliError::io("read", dir))?;
        let path = entry.path();
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, wanted, found)?;
        } else if wanted(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// NAME/VERSION and some more.
const DEPTH_MAX: u32 = 4;
