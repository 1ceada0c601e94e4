//! Sealed files that somebody has changed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod chunks;
mod files;
mod headers;
mod passphrases;
mod wraps;

use proptest::prelude::*;

use super::header::{self, Header};
use super::seal::assemble;
use super::stream::CHUNK_BYTES;
use super::*;
use crate::{Cleartext, KeyError, Secret, TAG_BYTES};

fn kek(byte: u8) -> KeyFileKek {
    KeyFileKek::new(Secret::from_bytes([byte; 32]))
}

fn artifact(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i % 251) as u8).collect()
}

fn open(file: &[u8], kek: &dyn KekProvider) -> Result<Cleartext, KeyError> {
    let sealed = SealedFile::parse(file)?;
    sealed.open(&sealed.unwrap(kek)?)
}

/// What stands before the chunks, and each chunk with its tag.
fn taken_apart(file: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let clear = SealedFile::parse(file).unwrap().clear_bytes();
    let (front, chunks) = file.split_at(file.len() - stream::sealed_bytes(clear));
    (front.to_vec(), chunks.chunks(CHUNK_BYTES + TAG_BYTES).map(<[u8]>::to_vec).collect())
}

fn together((front, chunks): (Vec<u8>, Vec<Vec<u8>>)) -> Vec<u8> {
    [front, chunks.concat()].concat()
}

/// A file whose parts are said in clear, each behind its true length.
fn composed(header: &[u8], wraps: &[u8], chunks: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| (part.len() as u32).to_be_bytes();
    [MAGIC, &length(header), header, &length(wraps), wraps, chunks].concat()
}

/// Header, wraps and chunks of a file.
fn parts(file: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let rest = &file[MAGIC.len()..];
    let part = |rest: &[u8]| {
        let (length, rest) = rest.split_first_chunk().unwrap();
        let (part, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        (part.to_vec(), rest.to_vec())
    };
    let (header, rest) = part(rest);
    let (wraps, chunks) = part(&rest);
    (header, wraps, chunks)
}

/// The header of `file` with one text in place of another.
fn with_header(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (header, wraps, chunks) = parts(file);
    let changed = String::from_utf8(header.clone()).unwrap().replacen(from, to, 1);
    assert_ne!(changed.as_bytes(), header);
    composed(changed.as_bytes(), &wraps, &chunks)
}

#[test]
fn an_artifact_of_any_number_of_chunks_comes_back() {
    for bytes in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
        let clear = artifact(bytes);
        let file = seal(&clear, &[&kek(1)]).unwrap();
        assert!(open(&file, &kek(1)).unwrap().expose() == clear, "{bytes} bytes");
        let chunks = taken_apart(&file).1;
        assert_eq!(chunks.len(), bytes.div_ceil(CHUNK_BYTES).max(1));
    }
}

fn passphrase(text: &str) -> PassphraseKek {
    let cost = Argon2Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let text = text.as_bytes().to_vec().into();
    PassphraseKek::new(text).unwrap().at_cost(cost).unwrap()
}

proptest! {
    #[test]
    fn whatever_was_sealed_is_what_is_opened(
        clear in proptest::collection::vec(any::<u8>(), 0..2000),
        keks in proptest::collection::vec(any::<u8>(), 1..=WRAPS_MAX),
    ) {
        let keks: Vec<_> = keks.into_iter().map(kek).collect();
        let all: Vec<&dyn KekProvider> = keks.iter().map(|kek| kek as &dyn KekProvider).collect();
        let file = seal(&clear, &all).unwrap();
        for kek in all {
            prop_assert!(open(&file, kek).unwrap().expose() == clear);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = SealedFile::parse(&bytes);
        let _ = SealedFile::parse(&[MAGIC, &bytes].concat());
    }

    #[test]
    fn no_byte_of_a_large_file_can_be_changed(at in any::<prop::sample::Index>(), by in 1..=255u8) {
        let mut file = seal(&artifact(CHUNK_BYTES + 9), &[&kek(1)]).unwrap();
        let at = at.index(file.len());
        file[at] ^= by;
        prop_assert!(open(&file, &kek(1)).is_err());
    }
}
