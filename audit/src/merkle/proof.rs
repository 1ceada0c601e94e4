//! Audit paths and consistency proofs: RFC 6962, sections 2.1.1 and 2.1.2, checked as RFC 9162,
//! sections 2.1.3.2 and 2.1.4.2, describes.

use super::{Hash, node_hash};
use std::io;

/// Knows the roots of a tree's complete subtrees.
pub trait Subtrees {
    /// The root over the `2^level` leaves from leaf `index * 2^level` on, all of which the tree
    /// has.
    fn root(&self, level: u32, index: u64) -> io::Result<Hash>;
}

/// The audit path of leaf `index` in the tree of `size` leaves, from the leaf's sibling up.
/// There is none for a leaf that the tree does not have.
pub fn inclusion_proof(
    index: u64,
    size: u64,
    subtrees: &impl Subtrees,
) -> io::Result<Option<Vec<Hash>>> {
    if index >= size {
        return Ok(None);
    }
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            path.push(root_over(middle, end, subtrees)?);
            end = middle;
        } else {
            path.push(root_over(begin, middle, subtrees)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// The proof that the tree of `size` leaves begins with those of the tree of `earlier` leaves.
/// There is none for a tree that is larger or empty.
pub fn consistency_proof(
    earlier: u64,
    size: u64,
    subtrees: &impl Subtrees,
) -> io::Result<Option<Vec<Hash>>> {
    if earlier == 0 || earlier > size {
        return Ok(None);
    }
    let mut proof = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end != earlier {
        let middle = begin + split(end - begin);
        if earlier <= middle {
            proof.push(root_over(middle, end, subtrees)?);
            end = middle;
        } else {
            proof.push(root_over(begin, middle, subtrees)?);
            begin = middle;
        }
    }
    if begin > 0 {
        proof.push(root_over(begin, end, subtrees)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Whether `path` leads from the leaf with this hash, at `index` of `size`, to `root`.
pub fn is_included(leaf: Hash, index: u64, size: u64, root: Hash, path: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let mut climb = Climb { node: index, last: size - 1 };
    let mut hash = leaf;
    for sibling in path {
        hash = match climb.up() {
            None => return false,
            Some(Side::Left) => node_hash(sibling, &hash),
            Some(Side::Right) => node_hash(&hash, sibling),
        };
    }
    climb.is_at_root() && hash == root
}

/// Whether `proof` shows that the tree of `size` leaves under `root` begins with the tree of
/// `earlier` leaves under `earlier_root`.
pub fn is_consistent(
    (earlier, earlier_root): (u64, Hash),
    (size, root): (u64, Hash),
    proof: &[Hash],
) -> bool {
    if earlier == 0 || earlier > size {
        return false;
    }
    if earlier == size {
        return proof.is_empty() && earlier_root == root;
    }
    let mut proof = proof.iter();
    let mut climb = Climb { node: earlier - 1, last: size - 1 };
    while climb.node & 1 == 1 {
        climb.rise();
    }
    // The earlier tree is complete: its root is where both begin.
    let begin = if earlier.is_power_of_two() { Some(earlier_root) } else { proof.next().copied() };
    let Some(begin) = begin else {
        return false;
    };
    let (mut earlier_hash, mut hash) = (begin, begin);
    for sibling in proof {
        match climb.up() {
            None => return false,
            Some(Side::Left) => {
                earlier_hash = node_hash(sibling, &earlier_hash);
                hash = node_hash(sibling, &hash);
            }
            // It is of the later tree alone.
            Some(Side::Right) => hash = node_hash(&hash, sibling),
        }
    }
    climb.is_at_root() && earlier_hash == earlier_root && hash == root
}

/// The way from a node to the root, as both checks of RFC 9162 go it: the node's index on its level,
/// and that of the level's last node.
struct Climb {
    node: u64,
    last: u64,
}

/// On which side of the node its sibling is.
enum Side {
    Left,
    Right,
}

impl Climb {
    /// Goes up past the next sibling; there is none at the root.
    fn up(&mut self) -> Option<Side> {
        if self.is_at_root() {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // Levels on which the last node has no sibling.
            while self.node & 1 == 0 && self.node != 0 {
                self.rise();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.rise();
        Some(side)
    }

    fn rise(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    fn is_at_root(&self) -> bool {
        self.last == 0
    }
}

/// The root over the leaves from `begin`, a multiple of the largest power of two that is not
/// above their number, up to `end`.
fn root_over(begin: u64, end: u64, subtrees: &impl Subtrees) -> io::Result<Hash> {
    let mut roots = Vec::new();
    for (level, index) in complete(begin, end) {
        roots.push(subtrees.root(level, index)?);
    }
    let mut roots = roots.into_iter().rev();
    // Nobody asks for the root over nothing.
    let last = roots.next().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(roots.fold(last, |right, left| node_hash(&left, &right)))
}

/// The complete subtrees, by level and index, that make up the leaves from `begin` to `end`.
fn complete(mut begin: u64, end: u64) -> impl Iterator<Item = (u32, u64)> {
    std::iter::from_fn(move || {
        let level = (end - begin).checked_ilog2()?;
        let index = begin >> level;
        begin += 1 << level;
        Some((level, index))
    })
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::merkle::{Frontier, leaf_hash};
    use proptest::prelude::*;
    use tlog_tiles::tlog;

    /// All leaves in memory.
    struct Leaves(Vec<Hash>);

    impl Subtrees for Leaves {
        fn root(&self, level: u32, index: u64) -> io::Result<Hash> {
            let (begin, count) = ((index << level) as usize, 1 << level);
            let mut hashes = self.0[begin..begin + count].to_vec();
            while hashes.len() > 1 {
                hashes = hashes.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
            }
            Ok(hashes[0])
        }
    }

    /// The same for the other implementation, a port of Go's `golang.org/x/mod/sumdb/tlog`.
    impl tlog::HashReader for Leaves {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
            let hash = |index: &u64| {
                let (level, index) = tlog::split_stored_hash_index(*index);
                tlog::Hash(self.root(level.into(), index).unwrap())
            };
            Ok(indexes.iter().map(hash).collect())
        }
    }

    fn leaves(count: u64) -> Leaves {
        Leaves((0..count).map(|i| leaf_hash(&i.to_le_bytes())).collect())
    }

    fn root(leaves: &Leaves, size: u64) -> Hash {
        let mut tree = Frontier::default();
        leaves.0[..size as usize].iter().for_each(|leaf| tree.push_hash(*leaf));
        tree.root()
    }

    fn plain(proof: Vec<tlog::Hash>) -> Vec<Hash> {
        proof.into_iter().map(|hash| hash.0).collect()
    }

    #[test]
    fn every_leaf_of_every_small_tree_has_the_path_of_the_other_implementation() {
        for size in 1..70 {
            let leaves = leaves(size);
            let root = root(&leaves, size);
            for index in 0..size {
                let path = inclusion_proof(index, size, &leaves).unwrap().unwrap();
                assert_eq!(path, plain(tlog::prove_record(size, index, &leaves).unwrap()));
                assert!(is_included(leaves.0[index as usize], index, size, root, &path));
            }
        }
    }

    #[test]
    fn every_pair_of_small_trees_has_the_proof_of_the_other_implementation() {
        for size in 1..70 {
            let leaves = leaves(size);
            let late = (size, root(&leaves, size));
            for earlier in 1..=size {
                let proof = consistency_proof(earlier, size, &leaves).unwrap().unwrap();
                assert_eq!(proof, plain(tlog::prove_tree(size, earlier, &leaves).unwrap()));
                assert!(is_consistent((earlier, root(&leaves, earlier)), late, &proof));
            }
        }
    }

    #[test]
    fn nothing_is_proved_of_leaves_and_trees_that_are_not_there() {
        let leaves = leaves(5);
        assert_eq!(inclusion_proof(5, 5, &leaves).unwrap(), None);
        assert_eq!(inclusion_proof(0, 0, &leaves).unwrap(), None);
        assert_eq!(consistency_proof(0, 5, &leaves).unwrap(), None);
        assert_eq!(consistency_proof(6, 5, &leaves).unwrap(), None);
        let root = root(&leaves, 5);
        assert!(!is_included(leaves.0[0], 5, 5, root, &[]));
        assert!(!is_consistent((0, root), (5, root), &[]));
        assert!(!is_consistent((6, root), (5, root), &[]));
    }

    proptest! {
        #[test]
        fn a_path_proves_one_leaf_at_one_place_in_one_tree(
            size in 1_u64..300, at in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>(),
        ) {
            let leaves = leaves(size);
            let root = root(&leaves, size);
            let index = at.index(size as usize) as u64;
            let leaf = leaves.0[index as usize];
            let path = inclusion_proof(index, size, &leaves).unwrap().unwrap();
            prop_assert!(is_included(leaf, index, size, root, &path));
            let elsewhere = other.index(size as usize) as u64;
            if elsewhere != index {
                prop_assert!(!is_included(leaf, elsewhere, size, root, &path));
                prop_assert!(!is_included(leaves.0[elsewhere as usize], index, size, root, &path));
            }
            prop_assert!(!is_included(leaf, index, size, [0; 32], &path));
            prop_assert!(!is_included(leaf, index, size, root, &[&path[..], &[[0; 32]]].concat()));
            if !path.is_empty() {
                prop_assert!(!is_included(leaf, index, size, root, &path[1..]));
                let mut path = path;
                let hash = flip.index(path.len());
                path[hash][0] ^= 1;
                prop_assert!(!is_included(leaf, index, size, root, &path));
            }
        }

        #[test]
        fn a_consistency_proof_proves_one_pair_of_trees(
            size in 2_u64..300, at in any::<prop::sample::Index>(),
            flip in any::<prop::sample::Index>(),
        ) {
            let leaves = leaves(size);
            let earlier = at.index(size as usize - 1) as u64 + 1;
            let (first, second) =
                ((earlier, root(&leaves, earlier)), (size, root(&leaves, size)));
            let mut proof = consistency_proof(earlier, size, &leaves).unwrap().unwrap();
            prop_assert!(is_consistent(first, second, &proof));
            prop_assert!(!is_consistent((earlier, [0; 32]), second, &proof));
            prop_assert!(!is_consistent(first, (size, [0; 32]), &proof));
            let longer = [&proof[..], &[[0; 32]]].concat();
            prop_assert!(!is_consistent(first, second, &longer));
            prop_assert!(!is_consistent(first, second, &proof[1..]));
            let hash = flip.index(proof.len());
            proof[hash][0] ^= 1;
            prop_assert!(!is_consistent(first, second, &proof));
        }
    }
}
