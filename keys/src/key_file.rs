//! Files with a secret key (PKCS#8, RFC 5958, or a KEK's bytes) or a passphrase: made for the owner alone, read only if they are.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Why a key file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file system said no.
    #[error("cannot {doing} the key file `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Others than the owner can read or change it.
    #[error("the key file `{}` is open to other users (mode {mode:o})\nhint: chmod go= {}", path.display(), path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds no such key.
    #[error("`{}` holds no Ed25519 key in PKCS#8 form\nhint: sealgate keys generate --out FILE", .0.display())]
    NoKey(PathBuf),
    /// It holds no key-encryption key.
    #[error("`{}` holds no key-encryption key: 32 bytes, not all zero\nhint: sealgate keys generate --kek --out FILE", .0.display())]
    NoKek(PathBuf),
    /// It holds no passphrase, or none worth the name.
    #[error("`{}` holds no passphrase: one line of {min} characters at least and {max} bytes at most", .path.display())]
    NoPassphrase {
        /// The file.
        path: PathBuf,
        /// The least characters.
        min: usize,
        /// The most bytes.
        max: usize,
    },
}

impl KeyFileError {
    /// Whether there simply is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::NotFound)
    }
}

/// Reads a key file that only its owner can read.
///
/// # Errors
/// [`KeyFileError`].
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let io = |doing| move |source| KeyFileError::Io { doing, path: path.to_owned(), source };
    let file = File::open(path).map_err(io("open"))?;
    let mode = file.metadata().map_err(io("look at"))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::NotPrivate { path: path.to_owned(), mode });
    }
    let mut document = Zeroizing::new(Vec::with_capacity(BYTES_MAX));
    file.take(BYTES_MAX as u64).read_to_end(&mut document).map_err(io("read"))?;
    Ok(document)
}

/// Writes a new key file that only its owner can read; an existing file is left as it is.
///
/// # Errors
/// [`KeyFileError::Io`].
pub fn create(path: &Path, document: &[u8]) -> Result<(), KeyFileError> {
    let io = |doing| move |source| KeyFileError::Io { doing, path: path.to_owned(), source };
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .map_err(io("create"))?;
    let written = file.write_all(document).and_then(|()| file.sync_all());
    // A link, unlike a rename, replaces nothing; half a file never has the name.
    let named = written.and_then(|()| std::fs::hard_link(&unfinished, path));
    let removed = std::fs::remove_file(&unfinished);
    named.and(removed).map_err(io("create"))
}

/// A PKCS#8 document of an Ed25519 key has 83 bytes at most.
const BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::receipt::ReceiptKey;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("sealgate-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_key_that_was_made_is_read_again() {
        let dir = folder("made");
        let path = dir.join("key");
        let made = ReceiptKey::load_or_create(&path).unwrap();
        assert_eq!(ReceiptKey::load_or_create(&path).unwrap().public(), made.public());
        assert!(create(&path, b"another").is_err());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = folder("open");
        let path = dir.join("key");
        ReceiptKey::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = ReceiptKey::load_or_create(&path);
        assert!(matches!(refused, Err(KeyFileError::NotPrivate { mode: 0o640, .. })));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_without_a_key_is_refused_and_kept() {
        let dir = folder("none");
        let path = dir.join("key");
        create(&path, b"no key").unwrap();
        assert!(matches!(ReceiptKey::load_or_create(&path), Err(KeyFileError::NoKey(_))));
        assert_eq!(std::fs::read(&path).unwrap(), b"no key");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
