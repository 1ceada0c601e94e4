//! Files of keys and passphrases.

use std::fs::{Permissions, create_dir_all, remove_dir_all, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::key_file::{self, KeyFileError};

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sealgate-{name}-{}", std::process::id()));
        create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        key_file::create(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = remove_dir_all(&self.0);
    }
}

#[test]
fn a_kek_is_a_private_file_of_32_bytes() {
    let folder = Folder::new("kek");
    let path = folder.file("kek", &[1; 32]);
    assert_eq!(KeyFileKek::read(&path).ok().unwrap().id(), kek(1).id());
    set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(KeyFileKek::read(&path), Err(KeyFileError::NotPrivate { .. })));
    for (name, content) in
        [("short", &[1; 31][..]), ("long", &[1; 33]), ("none", &[]), ("zeros", &[0; 32])]
    {
        let refused = KeyFileKek::read(&folder.file(name, content));
        assert!(matches!(refused, Err(KeyFileError::NoKek(_))), "{name}");
    }
}

#[test]
fn a_passphrase_is_one_line_of_a_private_file() {
    let folder = Folder::new("passphrase");
    let file = seal(b"w", &[&passphrase("correct horse battery")]).unwrap();
    for (name, content) in [
        ("plain", "correct horse battery"),
        ("unix", "correct horse battery\n"),
        ("dos", "correct horse battery\r\n"),
    ] {
        let path = folder.file(name, content.as_bytes());
        assert!(open(&file, &PassphraseKek::read(&path).ok().unwrap()).is_ok(), "{name}");
        set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(PassphraseKek::read(&path), Err(KeyFileError::NotPrivate { .. })));
    }
    let long = "a".repeat(2000);
    for (name, content) in
        [("empty", "\n"), ("lines", "correct horse battery\n\n"), ("endless", long.as_str())]
    {
        let refused = PassphraseKek::read(&folder.file(name, content.as_bytes()));
        assert!(matches!(refused, Err(KeyFileError::NoPassphrase { .. })), "{name}");
    }
}
