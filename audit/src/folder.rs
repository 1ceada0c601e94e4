//! Folders and files that are the owner's alone, and may not be there.

use crate::error::AuditError;
use std::fs::{self, DirBuilder, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Makes the folder and those above it, as far as they are missing.
pub(crate) fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Refuses what others than its owner may read or write.
pub(crate) fn demand_private(path: &Path, facts: &Metadata) -> Result<(), AuditError> {
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(AuditError::NotPrivate { path: path.to_owned(), mode });
    }
    Ok(())
}

/// What lies in the folder: nothing, if there is none.
pub(crate) fn entries(dir: &Path) -> io::Result<Vec<DirEntry>> {
    match dir.read_dir() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// Removes the file, if it is there.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    unless_missing(fs::remove_file(path))
}

/// Removes the folder with all that is in it, if it is there.
pub(crate) fn remove_all(dir: &Path) -> io::Result<()> {
    unless_missing(fs::remove_dir_all(dir))
}

fn unless_missing(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
