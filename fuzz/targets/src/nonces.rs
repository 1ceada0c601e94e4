use sealgate_keys::evidence::{NoncePath, NonceTree};

/// A nonce tree over up to 40 nonces of 32 bytes, or a nonce path in JSON.
///
/// # Panics
/// When a nonce does not lead to its tree's root, or a path that is not the tree's does.
pub(crate) fn nonces(bytes: &[u8]) {
    match serde_json::from_slice::<NoncePath>(bytes) {
        Ok(path) => foreign(&path),
        Err(_) => tree(bytes),
    }
}

/// Somebody else's path leads from a nonce to a root that our tree has only if it is our path.
fn foreign(path: &NoncePath) {
    let nonces: Vec<[u8; 32]> = (0..5).map(|n| [n; 32]).collect();
    let tree = NonceTree::new(&nonces).expect("a tree");
    for (index, nonce) in nonces.iter().enumerate() {
        if path.root(nonce) == Some(tree.root()) {
            let own = tree.path(index).expect("a path");
            let lower: Vec<_> = path.siblings.iter().map(|s| s.to_ascii_lowercase()).collect();
            assert_eq!(lower, own.siblings, "one nonce has one path");
        }
    }
    assert!(path.siblings.len() <= 16 || path.root(&[0; 32]).is_none(), "no deeper than a tree");
}

fn tree(bytes: &[u8]) {
    let mut nonces: Vec<[u8; 32]> =
        bytes.chunks(32).take(40).map(|chunk| std::array::from_fn(|i| at(chunk, i))).collect();
    nonces.dedup();
    let Some(tree) = NonceTree::new(&nonces) else { return };
    for (index, nonce) in nonces.iter().enumerate() {
        let path = tree.path(index).expect("a path for each nonce");
        assert_eq!(path.root(nonce), Some(tree.root()), "{index} leads to the root");
        let other = nonce.map(|byte| byte ^ 0xa5);
        assert_ne!(path.root(&other), Some(tree.root()), "and no other nonce in its place");
        let text = serde_json::to_vec(&path).expect("a path is JSON");
        assert_eq!(serde_json::from_slice::<NoncePath>(&text).ok(), Some(path));
    }
    assert!(tree.path(nonces.len()).is_none(), "no path for what is not there");
}

fn at(chunk: &[u8], index: usize) -> u8 {
    chunk.get(index).copied().unwrap_or_default()
}
