//! Files that appear whole or not at all, and that nobody else can read.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
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
    let write = || {
        // Mode 0600 from its first moment.
        let mut file = NamedTempFile::new_in(dir_of(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(CliError::io("write", path))
}

/// Makes a file that must not be there yet. `check` sees what is on the disk before the file has
/// its name; it has it before this returns, even if the power fails then.
pub(crate) fn create(
    path: &Path,
    bytes: &[u8],
    check: impl FnOnce(&[u8]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let file = checked(path, bytes, check)?;
    file.persist_noclobber(path).map_err(|refused| match refused.error.kind() {
        ErrorKind::AlreadyExists => CliError::FileExists { path: path.to_owned() },
        _ => CliError::io("write", path)(refused.error),
    })?;
    sync_dir(path)
}

/// As [`create`], in place of a file that is there, whose owner and mode it takes over: who could
/// read the one can read the other.
pub(crate) fn exchange(
    path: &Path,
    bytes: &[u8],
    check: impl FnOnce(&[u8]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let before = fs::metadata(path).map_err(CliError::io("look at", path))?;
    let file = checked(path, bytes, check)?;
    let take_over = || {
        let own = file.as_file().metadata()?;
        if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
            fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
        }
        file.as_file().set_permissions(before.permissions())
    };
    take_over().map_err(CliError::io("write", path))?;
    file.persist(path).map_err(|refused| CliError::io("write", path)(refused.error))?;
    sync_dir(path)
}

/// Written, and read back from where it was written.
fn checked(
    path: &Path,
    bytes: &[u8],
    check: impl FnOnce(&[u8]) -> Result<(), CliError>,
) -> Result<NamedTempFile, CliError> {
    let write = || {
        let mut file = NamedTempFile::new_in(dir_of(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        let written = fs::read(file.path())?;
        Ok((file, written))
    };
    let (file, written) = write().map_err(CliError::io("write", path))?;
    check(&written)?;
    Ok(file)
}

fn sync_dir(path: &Path) -> Result<(), CliError> {
    let sync = || File::open(dir_of(path))?.sync_all();
    sync().map_err(CliError::io("write", path))
}

fn dir_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

    use super::{create, exchange, private_dir, read_if_there, replace};
    use crate::error::CliError;
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
    fn a_created_file_takes_no_others_place_and_a_failed_check_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sealed");
        let refuse = |_: &[u8]| Err(CliError::KekUnsaid);
        assert!(create(&path, b"new", refuse).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(create(&path, b"new", |_| Ok(())).is_ok());
        let again = create(&path, b"newer", |_| Ok(()));
        assert!(matches!(again, Err(CliError::FileExists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_exchanged_file_keeps_its_mode_and_a_failed_check_keeps_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sealed");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(exchange(&path, b"new", |_| Err(CliError::KekUnsaid)).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert!(exchange(&path, b"new", |_| Ok(())).is_ok());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
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
