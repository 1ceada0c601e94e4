//! Finds the secret halves of a worker's keys in its memory, knowing the public ones alone.
//!
//! An X25519 scalar is any 32 bytes whose public point is the listed one. A decapsulation key of
//! ML-KEM-768 (FIPS 203, section 7.1) is the secret vector, the public key, the public key's hash
//! and the seed of implicit rejection in one row, so the public key with its hash shows where it is.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::io::ErrorKind;

use aho_corasick::AhoCorasick;
use aws_lc_rs::agreement::{PrivateKey, X25519};
use aws_lc_rs::digest::{SHA3_256, digest};
use sealgate_keys::ohttp::{Kem, KeyList};

use crate::looks::skipped;
use crate::marked::Needle;
use crate::scan::{NoRight, writable_memory};

/// The secret halves of the keys in `list`; nothing where memory may not be read.
pub fn secrets_of(pid: i32, list: &KeyList) -> Option<Vec<Needle>> {
    let memory = match writable_memory(pid) {
        Ok(memory) => memory,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            skipped(&NoRight(error));
            return None;
        }
        Err(error) => panic!("process {pid}: {error}"),
    };
    let x25519 = &list.key(Kem::X25519).expect("X25519").public_key;
    let x_wing = &list.key(Kem::XWing).expect("X-Wing").public_key;
    let (lattice, point) = x_wing.split_at(ML_KEM_PUBLIC_BYTES);
    let points = [("x25519", x25519.as_slice()), ("x-wing x25519", point)];
    let mut found = Vec::new();
    for block in &memory {
        found.extend(scalars(block, &points));
        found.extend(decapsulation_keys(block, lattice));
    }
    Some(found)
}

fn scalars(block: &[u8], points: &[(&str, &[u8])]) -> Vec<Needle> {
    let mut found = Vec::new();
    let windows = block.windows(32).step_by(8).filter(|window| looks_random(window));
    for window in windows {
        let Ok(key) = PrivateKey::from_private_key(&X25519, window) else { continue };
        let public = key.compute_public_key().expect("a point");
        let named = points.iter().filter(|(_, point)| public.as_ref() == *point);
        found.extend(named.map(|(name, _)| ((*name).to_owned(), window.to_vec())));
    }
    found
}

/// Of 32 random bytes, one in many thousand has three zeros or fewer than 20 different values.
fn looks_random(window: &[u8]) -> bool {
    let mut seen = [false; 256];
    window.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    window.iter().filter(|&&byte| byte == 0).count() < 3
        && seen.iter().filter(|&&seen| seen).count() >= 20
}

fn decapsulation_keys(block: &[u8], public: &[u8]) -> Vec<Needle> {
    let mark = [public, digest(&SHA3_256, public).as_ref()].concat();
    let finder = AhoCorasick::new([&mark]).expect("an automaton");
    let mut found = Vec::new();
    for at in finder.find_iter(block).map(|hit| hit.start()) {
        let vector = block[..at].get(at.saturating_sub(SECRET_VECTOR_BYTES)..).unwrap();
        let parts =
            vector.chunks(64).map(|part| ("x-wing ml-kem vector".to_owned(), part.to_vec()));
        found.extend(parts);
        let seed = block.get(at + mark.len()..at + mark.len() + 32).expect("a seed");
        found.push(("x-wing ml-kem seed".to_owned(), seed.to_vec()));
    }
    found
}

const ML_KEM_PUBLIC_BYTES: usize = 1184;
const SECRET_VECTOR_BYTES: usize = 1152;
