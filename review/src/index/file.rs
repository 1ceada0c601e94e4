//! The index's file: where it lies, who may read it, and that it is one.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::schema::APPLICATION;
use crate::error::ReviewError;

/// Where the index of the log in `dir` lies unless told otherwise: beside the folder, with
/// `-index.sqlite` added to its name.
#[must_use]
pub fn beside(dir: &Path) -> PathBuf {
    // `.` and `..` have no name of their own.
    let folder = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push("-index.sqlite");
    folder.with_file_name(name)
}

/// Opens or makes the file. It names every caller, so only its owner may read it.
pub(super) fn open(dir: &Path, path: &Path) -> Result<Connection, ReviewError> {
    if is_within(path, dir) {
        return Err(ReviewError::InsideLog(path.to_owned()));
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(ReviewError::io("create", path)(error)),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    demand_ours(&connection).map_err(|error| match error {
        NotOurs::Foreign => ReviewError::Foreign(path.to_owned()),
        NotOurs::Sqlite(error) => error.into(),
    })?;
    // A reader does not wait for a refresh, nor a refresh for a reader.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(connection)
}

enum NotOurs {
    Foreign,
    Sqlite(rusqlite::Error),
}

/// A file of somebody else is never written to; an empty one is nobody's.
fn demand_ours(connection: &Connection) -> Result<(), NotOurs> {
    let application = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let found = connection.query_row("PRAGMA application_id", [], application);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables = connection.query_row(tables, [], |row| row.get::<_, i64>(0));
    match (found, tables) {
        (Ok(APPLICATION), Ok(_)) | (Ok(0), Ok(0)) => Ok(()),
        (Err(error), _) | (_, Err(error))
            if error.sqlite_error_code() != Some(rusqlite::ErrorCode::NotADatabase) =>
        {
            Err(NotOurs::Sqlite(error))
        }
        _ => Err(NotOurs::Foreign),
    }
}

fn is_within(file: &Path, dir: &Path) -> bool {
    let parent = file.parent().map(|parent| match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    });
    let folder = parent.and_then(|folder| folder.canonicalize().ok());
    dir.canonicalize().ok().zip(folder).is_some_and(|(dir, folder)| folder.starts_with(dir))
}

/// How long to wait for another process's batch.
const PATIENCE: Duration = Duration::from_secs(10);
const WAL_PAGES: i64 = 16_384;
const CACHE_KIB: i64 = 64 * 1024;
