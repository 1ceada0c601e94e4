//! Records that stay when their segment is dropped: those without which nobody could check the
//! signatures of the rest. One file each, `kept/<number>.json`; the tiles vouch for them.

use crate::bounded;
use crate::error::AuditError;
use crate::folder;
use crate::merkle::{Subtrees as _, leaf_hash};
use crate::record::BODY_BYTES_MAX;
use crate::replace::{self, Durability};
use crate::tiles::Reader;
use std::io;
use std::path::Path;

/// Keeps the body of record `n`.
pub(crate) fn keep(dir: &Path, n: u64, body: &[u8]) -> io::Result<()> {
    replace::unless_same(&dir.join(name(n)), body, Durability::Now).map(drop)
}

/// The file of record `n` below the log's folder.
pub(crate) fn name(n: u64) -> String {
    format!("{FOLDER}/{n}.json")
}

/// What is kept.
#[derive(Default)]
pub(crate) struct KeptRecords {
    /// Numbers and bodies, in order.
    pub(crate) bodies: Vec<(u64, Vec<u8>)>,
    /// Files that are not what the tiles say.
    pub(crate) wrong: Vec<String>,
}

/// Reads what is kept, and holds it against the tiles of the tree of `size` records.
pub(crate) fn read(dir: &Path, size: u64) -> Result<KeptRecords, AuditError> {
    let folder = dir.join(FOLDER);
    let tiles = Reader::new(dir, size);
    let is_leaf = |n, body: &[u8]| tiles.root(0, n).is_ok_and(|hash| hash == leaf_hash(body));
    let mut kept = KeptRecords::default();
    for entry in folder::entries(&folder).map_err(AuditError::io("list", &folder))? {
        let file = entry.file_name().to_string_lossy().into_owned();
        if replace::is_under_way(&file) {
            continue;
        }
        let number = file.strip_suffix(".json").and_then(|digits| digits.parse::<u64>().ok());
        let file = format!("{FOLDER}/{file}");
        let Some(n) = number.filter(|n| name(*n) == file) else {
            kept.wrong.push(file);
            continue;
        };
        let body = bounded::read(&dir.join(&file), BODY_BYTES_MAX).unwrap_or_default();
        // What its segment has is read there.
        if n >= size || is_leaf(n, &body) {
            kept.bodies.push((n, body));
        } else {
            kept.wrong.push(file);
        }
    }
    kept.bodies.sort_unstable();
    kept.wrong.sort_unstable();
    Ok(kept)
}

/// The folder of these files below a log's folder.
pub(crate) const FOLDER: &str = "kept";
