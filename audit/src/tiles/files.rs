//! Tiles and the published checkpoint on the disk.

use super::{Edge, Tile};
use crate::folder;
use crate::merkle::Hash;
use crate::replace::{self, Durability};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Writes tiles below a log's folder.
pub(crate) struct Files {
    dir: PathBuf,
    /// Those written since the last [`Files::sync`].
    unsynced: Vec<Tile>,
}

impl Files {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), unsynced: Vec::new() }
    }

    /// Writes a tile, unless it is there already.
    pub(crate) fn put(&mut self, tile: Tile, hashes: &[Hash]) -> io::Result<()> {
        let path = self.dir.join(tile.to_string());
        if replace::unless_same(&path, hashes.as_flattened(), Durability::Later)? {
            self.unsynced.push(tile);
        }
        Ok(())
    }

    /// Publishes the tree of `edge` under its checkpoint: first the tiles it needs, then the note.
    pub(crate) fn publish(&mut self, edge: &Edge, note: &str) -> io::Result<()> {
        for (tile, hashes) in edge.partials() {
            self.put(tile, hashes)?;
        }
        replace::file(&self.dir.join(PUBLISHED), note.as_bytes(), Durability::Later)
    }

    /// Makes all tiles durable, so that the segments they follow from may go. What a full one makes
    /// superfluous goes away.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        let unsynced = std::mem::take(&mut self.unsynced);
        let (full, partial): (Vec<_>, Vec<_>) = unsynced.into_iter().partition(Tile::is_full);
        self.sync_these(&full)?;
        // Only now: the hashes must not be in neither when the power fails.
        for tile in full {
            folder::remove_all(&self.dir.join(format!("{tile}.p")))?;
        }
        self.sync_these(&partial)
    }

    /// The files, then each of their folders once.
    fn sync_these(&self, tiles: &[Tile]) -> io::Result<()> {
        let mut folders = BTreeSet::new();
        for tile in tiles {
            let path = self.dir.join(tile.to_string());
            match File::open(&path).and_then(|file| file.sync_all()) {
                // A partial tile that has been filled since.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !tile.is_full() => {
                    continue;
                }
                synced => synced?,
            }
            folders.extend(path.parent().map(Path::to_owned));
        }
        folders.into_iter().try_for_each(|folder| File::open(folder)?.sync_all())
    }
}

/// The folder of tiles below a log's folder.
pub(crate) const TILES: &str = "tile";
/// The checkpoint that was published last, below a log's folder.
pub(crate) const PUBLISHED: &str = "checkpoint";
