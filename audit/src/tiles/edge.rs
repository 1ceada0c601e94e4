//! The right edge of the tree in tiles: what is not yet full, on each level.

use super::{LEVELS, Tile, WIDTH};
use crate::merkle::{Frontier, Hash, root_of};
use std::io;

/// The hashes of the last tile of each level, fewer than 256 each.
#[derive(Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of the tree of `size` leaves, whose tiles `read` knows.
    pub(crate) fn of(
        size: u64,
        mut read: impl FnMut(Tile) -> io::Result<Vec<Hash>>,
    ) -> io::Result<Self> {
        let mut levels = Vec::new();
        for level in 0..LEVELS {
            levels.push(Tile::partial(level, size).map_or(Ok(Vec::new()), &mut read)?);
        }
        Ok(Self { size, levels })
    }

    /// The root of the tree; of an empty one the hash of nothing.
    pub(crate) fn root(&self) -> Hash {
        self.frontier().root()
    }

    /// The tree by the roots of its complete subtrees: on each level, those that the bits of its
    /// last tile's width stand for.
    pub(crate) fn frontier(&self) -> Frontier {
        let mut roots = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while let Some(bit) = rest.len().checked_ilog2() {
                let (subtree, later) = rest.split_at(1 << bit);
                roots.push(root_of(subtree));
                rest = later;
            }
        }
        Frontier::of(self.size, roots)
    }

    /// How many leaves the tree has.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; `full` gets each tile that it fills, from the bottom up.
    pub(crate) fn push(&mut self, leaf: Hash, mut full: impl FnMut(Tile, &[Hash])) {
        let mut hash = leaf;
        let mut count = self.size + 1;
        self.size = count;
        for level in 0..LEVELS {
            let at = usize::from(level);
            if self.levels.len() == at {
                self.levels.push(Vec::with_capacity(WIDTH.into()));
            }
            let Some(hashes) = self.levels.get_mut(at) else { return };
            hashes.push(hash);
            if hashes.len() < WIDTH.into() {
                return;
            }
            count /= u64::from(WIDTH);
            full(Tile::full(level, count - 1), hashes);
            hash = root_of(hashes);
            hashes.clear();
        }
    }

    /// The tiles that are not full, with their hashes, from the bottom up.
    pub(crate) fn partials(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        (0..LEVELS).zip(&self.levels).filter_map(|(level, hashes)| {
            Tile::partial(level, self.size).map(|tile| (tile, hashes.as_slice()))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_edge_read_from_tiles_is_the_edge_that_grew() {
        let (mut edge, mut files) = (Edge::default(), HashMap::new());
        let mut tree = Frontier::default();
        for i in 0..66_000_u64 {
            if i < 1030 || i.is_multiple_of(997) {
                assert_eq!(edge.root(), tree.root(), "{i}");
            }
            let leaf = tree.push(&i.to_le_bytes());
            edge.push(leaf, |tile, hashes| {
                files.insert(tile, hashes.to_vec());
            });
        }
        assert_eq!(edge.root(), tree.root());
        let partials: HashMap<_, _> = edge.partials().map(|(t, h)| (t, h.to_vec())).collect();
        assert_eq!(files.len(), 66_000 / 256 + 1);
        let again = Edge::of(66_000, |tile| Ok(partials[&tile].clone())).unwrap();
        assert!(again.partials().eq(edge.partials()));
        assert_eq!(again.size(), edge.size());
    }
}
