//! The key of an operator, who vouches for workers.

use std::io::ErrorKind;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sealgate_keys::Base64;
use sealgate_keys::key_file::{self, KeyFileError};

use crate::error::CliError;

/// Makes a key (PKCS#8, RFC 8410) in a new file that only its owner can read; tells its public
/// half. A file that is there stays as it is.
pub(crate) fn create(path: &Path) -> Result<Base64, CliError> {
    let key = Ed25519KeyPair::generate().map_err(|_| CliError::Randomness)?;
    let document = key.to_pkcs8().map_err(|_| CliError::Randomness)?;
    write_new(path, document.as_ref())?;
    Ok(public(&key))
}

/// Writes a key into a new file that only its owner can read.
pub(crate) fn write_new(path: &Path, key: &[u8]) -> Result<(), CliError> {
    match key_file::create(path, key) {
        Err(KeyFileError::Io { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
            Err(CliError::KeyExists { path: path.to_owned() })
        }
        made => Ok(made?),
    }
}

/// The public half of the key in a file, which is made when it is missing.
pub(crate) fn load_or_create(path: &Path) -> Result<Base64, CliError> {
    match key_file::read(path) {
        Err(error) if error.is_missing() => create(path),
        document => match Ed25519KeyPair::from_pkcs8(&document?) {
            Ok(key) => Ok(public(&key)),
            Err(_) => Err(KeyFileError::NoKey(path.to_owned()).into()),
        },
    }
}

fn public(key: &Ed25519KeyPair) -> Base64 {
    Base64(key.public_key().as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{create, load_or_create};
    use crate::error::CliError;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_for_its_owner_alone_and_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("operator.key");
        let made = create(&path).ok().unwrap();
        assert_eq!(load_or_create(&path).ok().unwrap(), made);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn no_file_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("thesis.txt");
        crate::state::files::replace(&path, b"text").ok().unwrap();
        assert!(matches!(create(&path), Err(CliError::KeyExists { .. })));
        assert!(matches!(load_or_create(&path), Err(CliError::KeyFile(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
    }
}
