//! Reading the tree back from its tiles.

use super::{Tile, WIDTH};
use crate::bounded::{self, TILE_BYTES_MAX};
use crate::merkle::{Hash, Subtrees, root_of};
use std::io;
use std::path::{Path, PathBuf};

/// The tree of `size` leaves, as its tiles below a log's folder hold it.
pub(crate) struct Reader {
    dir: PathBuf,
    size: u64,
}

impl Reader {
    pub(crate) fn new(dir: &Path, size: u64) -> Self {
        Self { dir: dir.to_owned(), size }
    }

    /// The hashes of a tile. One that has been filled since holds those of a partial one too, and
    /// so does a wider one.
    pub(crate) fn tile(&self, tile: Tile) -> io::Result<Vec<Hash>> {
        let full = Tile::full(tile.level, tile.index);
        let found = (tile.width..WIDTH)
            .map(|width| Tile { width, ..tile })
            .chain([full])
            .filter_map(|held| bounded::read(&self.dir.join(held.to_string()), TILE_BYTES_MAX).ok())
            // One that a crash cut short is passed over.
            .find(|bytes| bytes.len() >= usize::from(tile.width) * 32);
        let bytes = found.ok_or_else(|| lost(tile))?;
        let (hashes, _) = bytes.as_chunks::<32>();
        hashes.get(..tile.width.into()).map(<[Hash]>::to_vec).ok_or_else(|| lost(tile))
    }
}

impl Subtrees for Reader {
    fn root(&self, level: u32, index: u64) -> io::Result<Hash> {
        let (of_tile, within) = ((level / 8) as u8, level % 8);
        let (first, count) = (index << within, 1_u64 << within);
        let tile_index = first / u64::from(WIDTH);
        let partial = Tile::partial(of_tile, self.size).filter(|tile| tile.index == tile_index);
        let hashes = self.tile(partial.unwrap_or(Tile::full(of_tile, tile_index)))?;
        let from = (first % u64::from(WIDTH)) as usize;
        let part = hashes.get(from..from + count as usize);
        part.map(root_of).ok_or_else(|| lost(Tile::full(of_tile, tile_index)))
    }
}

fn lost(tile: Tile) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{tile}` is missing or cut"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::super::{Edge, Files};
    use super::*;
    use crate::merkle::{Frontier, inclusion_proof, is_included, leaf_hash};

    fn leaf(index: u64) -> Hash {
        leaf_hash(&index.to_le_bytes())
    }

    #[test]
    fn the_tree_that_was_published_is_proved_from_its_files_also_when_it_has_grown_since() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::new(dir.path());
        let (mut edge, mut tree) = (Edge::default(), Frontier::default());
        let mut roots = Vec::new();
        for index in 0..1_000 {
            tree.push_hash(leaf(index));
            edge.push(leaf(index), |tile, hashes| files.put(tile, hashes).unwrap());
            if index % 37 == 0 || index > 997 {
                files.publish(&edge, "note").unwrap();
                roots.push((tree.size(), tree.root()));
            }
        }
        files.sync().unwrap();
        for (size, root) in roots {
            let reader = Reader::new(dir.path(), size);
            let edge = Edge::of(size, |tile| reader.tile(tile)).unwrap();
            assert_eq!(edge.root(), root, "{size}");
            for index in (0..size).step_by(41) {
                let path = inclusion_proof(index, size, &reader).unwrap().unwrap();
                assert!(is_included(leaf(index), index, size, root, &path), "{index} of {size}");
            }
        }
    }
}
