//! The Merkle tree of RFC 6962, section 2.1: its hashes, and the right edge that lets it grow.
//!
//! Leaves and nodes are hashed under different prefixes, so no node can pass for a record.

mod proof;

pub use proof::{Subtrees, consistency_proof, inclusion_proof, is_consistent, is_included};

use sha2::{Digest as _, Sha256};
/// A SHA-256 hash of a leaf, a node or a whole tree.
pub type Hash = [u8; 32];

/// A growing tree, as the roots of its complete subtrees: at most 64 hashes for any size.
#[derive(Clone, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree of `size` leaves, by the roots of its complete subtrees, the largest first.
    pub(crate) fn of(size: u64, roots: Vec<Hash>) -> Self {
        Self { size, roots }
    }

    /// Appends the leaf that holds `body`, and says its hash.
    pub fn push(&mut self, body: &[u8]) -> Hash {
        let hash = leaf_hash(body);
        self.push_hash(hash);
        hash
    }

    /// Appends the leaf with this hash.
    pub fn push_hash(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one bit of the size is a complete subtree that the new leaf completes.
        let mut complete = self.size;
        while complete & 1 == 1 {
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&left, &hash);
            complete >>= 1;
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root of the tree as it stands; of an empty tree the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else {
            return Sha256::digest([]).into();
        };
        roots.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The root over the hashes of a complete subtree's nodes: a power of two of them, at least one.
pub(crate) fn root_of(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| {
                pair.iter()
                    .copied()
                    .reduce(|left, right| node_hash(&left, &right))
                    .unwrap_or_default()
            })
            .collect();
    }
    row.first().copied().unwrap_or_default()
}

/// The hash of a leaf: SHA-256 of a zero byte and the body.
pub fn leaf_hash(body: &[u8]) -> Hash {
    Sha256::new().chain_update([LEAF]).chain_update(body).finalize().into()
}

/// The hash of a node: SHA-256 of a one byte and both children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([NODE]).chain_update(left).chain_update(right).finalize().into()
}

const LEAF: u8 = 0;
const NODE: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// MTH(D[n]) as RFC 6962 defines it: recursive, with nothing shared with the code above but SHA-256.
    fn definition(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => Sha256::digest([&[0][..], one].concat()).into(),
            _ => {
                let mut split = 1;
                while split * 2 < leaves.len() {
                    split *= 2;
                }
                let (left, right) = leaves.split_at(split);
                let children = [definition(left), definition(right)].concat();
                Sha256::digest([&[1][..], &children].concat()).into()
            }
        }
    }

    proptest! {
        #[test]
        fn the_root_is_what_the_rfc_defines(
            leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..130)
        ) {
            let mut tree = Frontier::default();
            for leaf in &leaves {
                tree.push(leaf);
            }
            prop_assert_eq!(tree.size(), leaves.len() as u64);
            prop_assert_eq!(tree.root(), definition(&leaves));
        }

        #[test]
        fn another_order_has_another_root(a in any::<[u8; 8]>(), b in any::<[u8; 8]>()) {
            prop_assume!(a != b);
            let (mut ab, mut ba) = (Frontier::default(), Frontier::default());
            ab.push(&a);
            ab.push(&b);
            ba.push(&b);
            ba.push(&a);
            prop_assert_ne!(ab.root(), ba.root());
        }
    }

    #[test]
    fn the_reference_tree_of_certificate_transparency_has_its_known_roots() {
        // The test data of Google's certificate-transparency repository (merkle_tree_test).
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let mut tree = Frontier::default();
        for leaf in leaves {
            tree.push(&hex::decode(leaf).unwrap_or_default());
        }
        assert_eq!(
            hex::encode(tree.root()),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
    }
}
