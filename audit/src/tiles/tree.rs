//! What lies among the tiles that is not one of them.

use super::{Edge, Reader, TILES, Tile};
use crate::error::AuditError;
use crate::finding::What;
use crate::folder;
use crate::replace;
use std::collections::VecDeque;
use std::path::Path;

/// A file below `tile/` that should not be there, or not like this.
pub(crate) struct Foreign {
    /// Its path below the log's folder.
    pub(crate) file: String,
    pub(crate) what: What,
    /// Whether it is the beginning of what it should be, as a power failure leaves it.
    pub(crate) is_cut_short: bool,
}

/// Looks at every file below `tile/`. Full tiles that `edge` has were compared when they were
/// filled; partial ones are compared here with what holds their hashes now. `ahead` says that the
/// tiles may be of a larger tree than `edge`, as when a gateway is writing them.
pub(crate) fn foreign(dir: &Path, edge: &Edge, ahead: bool) -> Result<Vec<Foreign>, AuditError> {
    let mut found = Vec::new();
    let mut folders = VecDeque::from([TILES.to_owned()]);
    while let Some(below) = folders.pop_front() {
        let path = dir.join(&below);
        let failed = || AuditError::io("list", &path);
        // There may be no tiles at all, or a partial one's folder has just been removed.
        for entry in folder::entries(&path).map_err(failed())? {
            let file = format!("{below}/{}", entry.file_name().to_string_lossy());
            match entry.file_type().map_err(failed())? {
                kind if kind.is_dir() => folders.push_back(file),
                kind if kind.is_file() => {
                    let judged = judge(dir, &file, edge, ahead);
                    let foreign = |(what, is_cut_short)| Foreign { file, what, is_cut_short };
                    found.extend(judged.map(foreign));
                }
                _ => {
                    let what = What::ForeignFile;
                    found.push(Foreign { file, what, is_cut_short: false });
                }
            }
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

/// What is wrong with a file, and whether it is merely cut short.
fn judge(dir: &Path, file: &str, edge: &Edge, ahead: bool) -> Option<(What, bool)> {
    let foreign = (What::ForeignFile, false);
    let Some(tile) = Tile::parse(file) else {
        let name = file.rsplit('/').next().unwrap_or_default();
        return (!ahead || !replace::is_under_way(name)).then_some(foreign);
    };
    let hashes = edge.size().checked_shr(u32::from(tile.level) * 8).unwrap_or(0);
    let end = tile.index.saturating_mul(256).saturating_add(tile.width.into());
    if end > hashes {
        return (!ahead).then_some(foreign);
    }
    if tile.is_full() {
        return None;
    }
    let now =
        edge.partials().find(|(last, _)| (last.level, last.index) == (tile.level, tile.index));
    let whole = Reader::new(dir, edge.size());
    let expected = match now {
        Some((_, hashes)) => hashes.get(..tile.width.into()).map(<[_]>::to_vec),
        None => whole.tile(Tile::full(tile.level, tile.index)).ok(),
    };
    let bytes = std::fs::read(dir.join(file));
    // It has just been filled: the full one is about to be written, and this one to go away.
    if ahead && (expected.is_none() || bytes.is_err()) {
        return None;
    }
    let (bytes, expected) = (bytes.unwrap_or_default(), expected.unwrap_or_default());
    let prefix = expected.get(..tile.width.into()).unwrap_or_default().as_flattened();
    (bytes != prefix).then(|| (What::Tile, replace::is_cut_short(&bytes, prefix)))
}
