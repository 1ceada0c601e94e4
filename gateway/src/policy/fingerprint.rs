//! Whether a folder has changed, told from its files' metadata alone.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Changes whenever a file of the folder is written, replaced, added, removed or given other
/// permissions; also when a symlink is pointed elsewhere, for it is the targets that are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of the folder as it is now. Reads no file.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn of(dir: &Path) -> io::Result<Self> {
        let mut hash = Sha256::new();
        visit(dir, DEPTH_MAX, &mut hash)?;
        Ok(Self(hash.finalize().into()))
    }
}

fn visit(dir: &Path, depth: u32, hash: &mut Sha256) -> io::Result<()> {
    note(&fs::metadata(dir)?, hash);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.push(entry?.file_name());
        if names.len() > ENTRIES_MAX {
            return Err(io::Error::other(format!("more than {ENTRIES_MAX} entries")));
        }
    }
    names.sort_unstable();
    for name in names {
        let bytes = name.as_encoded_bytes();
        // As the folder's reader does: Kubernetes keeps its symlinks' targets in hidden folders.
        if bytes.first() == Some(&b'.') {
            continue;
        }
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
        let path = dir.join(&name);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() && depth > 0 => visit(&path, depth - 1, hash)?,
            Ok(metadata) => note(&metadata, hash),
            // Gone since the folder was listed, or a link to nothing.
            Err(_) => hash.update([0]),
        }
    }
    Ok(())
}

fn note(metadata: &fs::Metadata, hash: &mut Sha256) {
    let ids = [metadata.dev(), metadata.ino(), metadata.size(), metadata.mode().into()];
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    ids.map(u64::to_le_bytes).iter().for_each(|part| hash.update(part));
    times.map(i64::to_le_bytes).iter().for_each(|part| hash.update(part));
}

/// `candidate/rules/` is the deepest folder there is.
const DEPTH_MAX: u32 = 2;
const ENTRIES_MAX: usize = 10_000;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("candidate/rules")).unwrap();
        fs::write(dir.path().join("models.toml"), "a").unwrap();
        fs::write(dir.path().join("candidate/rules/a.cedar"), "a").unwrap();
        dir
    }

    #[test]
    fn a_folder_that_nobody_touched_has_the_same_fingerprint() {
        let dir = folder();
        assert!(Fingerprint::of(dir.path()).unwrap() == Fingerprint::of(dir.path()).unwrap());
    }

    #[test]
    fn every_change_changes_the_fingerprint() {
        let dir = folder();
        let at = |name: &str| dir.path().join(name);
        let changes: [&dyn Fn(); 6] = [
            &|| fs::write(at("models.toml"), "bb").unwrap(),
            &|| fs::write(at("candidate/rules/a.cedar"), "bb").unwrap(),
            &|| fs::write(at("new.toml"), "").unwrap(),
            &|| fs::remove_file(at("new.toml")).unwrap(),
            &|| {
                let read_only = fs::Permissions::from_mode(0o400);
                fs::set_permissions(at("models.toml"), read_only).unwrap();
            },
            &|| {
                // Same name, same size, and a time that was put back.
                let before = fs::metadata(at("models.toml")).unwrap().modified().unwrap();
                fs::write(at("other"), "cc").unwrap();
                fs::File::open(at("other")).unwrap().set_modified(before).unwrap();
                fs::rename(at("other"), at("models.toml")).unwrap();
            },
        ];
        for (number, change) in changes.iter().enumerate() {
            let before = Fingerprint::of(dir.path()).unwrap();
            change();
            assert!(before != Fingerprint::of(dir.path()).unwrap(), "change {number}");
        }
    }

    #[test]
    fn pointing_a_link_elsewhere_changes_the_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            fs::create_dir(dir.path().join(version)).unwrap();
            fs::write(dir.path().join(version).join("models.toml"), "same").unwrap();
        }
        let link = dir.path().join("current");
        std::os::unix::fs::symlink("1", &link).unwrap();
        let before = Fingerprint::of(&link).unwrap();
        std::os::unix::fs::symlink("2", dir.path().join("next")).unwrap();
        fs::rename(dir.path().join("next"), &link).unwrap();
        assert!(before != Fingerprint::of(&link).unwrap());
    }
}
