//! What lies in the repository: `NAME/VERSION/model.safetensors`, `model.sealed`, or `plan.json` with its
//! parts beside it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::models::PLAN_FILE;
use crate::served::by_age;

/// One model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
}

/// Changes whenever a file is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([u64; 7]);

/// A model's name and a version.
pub(super) type Key = (String, String);

/// Everything that can be served. Of more than [`VERSIONS_MAX`] versions of a model the newest count.
///
/// # Errors
/// When the repository itself, or a model's folder, cannot be read: then nothing is known of it.
pub(super) fn scan(dir: &Path) -> io::Result<BTreeMap<Key, Found>> {
    let mut found = BTreeMap::new();
    let names = names(dir)?;
    if names.len() > MODELS_MAX {
        return Err(io::Error::other(format!("more than {MODELS_MAX} models")));
    }
    for name in names {
        let mut versions = self::names(&dir.join(&name))?;
        versions.sort_by(|a, b| by_age(b, a));
        let files = versions.into_iter().filter_map(|version| {
            let file = model_file(&dir.join(&name).join(&version))?;
            Some(((name.clone(), version), file))
        });
        found.extend(files.take(VERSIONS_MAX));
    }
    Ok(found)
}

/// Names of folders, where they can be names of models and versions; hidden ones are somebody's own.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for (count, entry) in fs::read_dir(dir)?.enumerate() {
        if count >= ENTRIES_MAX {
            return Err(io::Error::other(format!("more than {ENTRIES_MAX} entries")));
        }
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let named =
            !name.starts_with('.') && name.len() <= NAME_BYTES_MAX && name.chars().all(plain);
        if named && entry.path().is_dir() {
            names.push(name);
        }
    }
    Ok(names)
}

fn model_file(dir: &Path) -> Option<Found> {
    FILES.iter().find_map(|file| {
        let path = dir.join(file);
        let facts = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let times = [facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec()];
        let [a, b, c, d] = times.map(i64::cast_unsigned);
        Some(Found { path, stamp: Stamp([facts.dev(), facts.ino(), facts.size(), a, b, c, d]) })
    })
}

/// The sealed one first: where both lie, the other was forgotten. A plan is told apart from another by
/// its own bytes alone, for they name its parts': it is written last.
const FILES: [&str; 3] = ["model.sealed", PLAN_FILE, "model.safetensors"];
/// Each is a process at least.
const VERSIONS_MAX: usize = 4;
const MODELS_MAX: usize = 64;
const ENTRIES_MAX: usize = 1_024;
const NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn put(dir: &Path, path: &str) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    fn keys(dir: &Path) -> Vec<String> {
        scan(dir).unwrap().keys().map(|(name, version)| format!("{name}/{version}")).collect()
    }

    #[test]
    fn models_and_versions_are_folders_with_a_model_file() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path();
        put(dir, "triage/1/model.safetensors");
        put(dir, "triage/2/model.sealed");
        put(dir, "fraud/2026-11/model.safetensors");
        for not in [
            "triage/3/weights.bin",
            "triage/notes.txt",
            "readme",
            ".git/1/model.safetensors",
            "triage/.4.part/model.safetensors",
            "a b/1/model.safetensors",
            "empty/1/model.safetensors/x",
        ] {
            put(dir, not);
        }
        assert_eq!(keys(dir), ["fraud/2026-11", "triage/1", "triage/2"]);
    }

    #[test]
    fn the_newest_versions_count() {
        let place = tempfile::tempdir().unwrap();
        for version in 1..=12 {
            put(place.path(), &format!("triage/{version}/model.safetensors"));
        }
        assert_eq!(keys(place.path()), ["triage/10", "triage/11", "triage/12", "triage/9"]);
    }

    #[test]
    fn a_file_that_is_replaced_has_another_stamp() {
        let place = tempfile::tempdir().unwrap();
        put(place.path(), "triage/1/model.safetensors");
        let before = scan(place.path()).unwrap();
        assert_eq!(scan(place.path()).unwrap(), before);
        put(place.path(), "triage/1/new");
        let folder = place.path().join("triage/1");
        fs::rename(folder.join("new"), folder.join("model.safetensors")).unwrap();
        assert_ne!(scan(place.path()).unwrap(), before);
    }

    #[test]
    fn a_repository_that_cannot_be_read_is_not_an_empty_one() {
        let place = tempfile::tempdir().unwrap();
        assert!(scan(&place.path().join("none")).is_err());
    }
}
