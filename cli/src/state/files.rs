//! Files that appear whole or not at all, and that nobody else can read.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::CliError;

/// Makes a folder, with its parents, that only its owner can enter. One that is there stays as it
/// is.
pub(crate) fn private_dir(dir: &Path) -> Result<(), CliError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(CliError::io("create", dir))
}

/// Closes a folder to everybody but its owner.
pub(crate) fn make_private(dir: &Path) -> Result<(), CliError> {
    fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(CliError::io("close", dir))
}

/// Whether nothing lies in a folder.
pub(crate) fn is_empty(dir: &Path) -> Result<bool, CliError> {
    let mut entries = fs::read_dir(dir).map_err(CliError::io("read", dir))?;
    Ok(entries.next().is_none())
}

/// Puts a file in place of the one that may be there. Whoever reads sees the old or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        // Mode 0600 from its first moment.
        let mut file = NamedTempFile::new_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(CliError::io("write", path))
}

/// Reads a text file; `None` if there is none.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>, CliError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliError::io("read", path)(error)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{private_dir, read_if_there, replace};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_replaced_file_is_for_its_owner_alone_and_leaves_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        private_dir(&dir.path().join("a/b")).unwrap();
        let mode = fs::metadata(dir.path().join("a/b")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error_and_one_that_cannot_be_read_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_if_there(&dir.path().join("none")).unwrap().is_none());
        assert!(read_if_there(dir.path()).is_err());
    }
}
