//! What the fuzzer found worth keeping is run through its targets again: see `fuzz/README.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use sealgate_fuzz_targets::{TARGETS, seeds};

const CORPORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let corpora: BTreeSet<_> = entries(Path::new(CORPORA))
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(corpora, targets);
}

#[test]
fn the_corpora_are_small_and_none_is_empty() {
    let files: Vec<_> = TARGETS.iter().flat_map(|(name, _)| corpus(name)).collect();
    let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(files.len() < 400, "{} files", files.len());
    assert!(bytes < 400_000, "{bytes} bytes");
    for (name, _) in TARGETS {
        assert!(corpus(name).len() >= 10, "{name}");
    }
}

#[test]
fn no_kept_input_breaks_a_promise_of_the_hop() {
    replay("frame");
}

#[test]
fn no_kept_input_breaks_a_promise_of_binary_http() {
    replay("binary_http");
}

#[test]
fn no_kept_input_opens_under_a_workers_keys() {
    replay("sealed_request");
}

#[test]
fn no_kept_input_breaks_a_promise_of_the_workers_reader() {
    replay("worker_request");
}

#[test]
fn no_kept_message_names_one_model_to_the_gateway_and_another_to_the_worker() {
    replay("grpc_names");
}

#[test]
fn no_kept_input_breaks_a_promise_of_key_lists_keysets_nonces_and_receipts() {
    replay("key_list");
}

#[test]
fn no_kept_onnx_model_is_imported_as_anything_but_a_network() {
    replay("onnx");
}

#[test]
fn no_kept_tflite_model_is_imported_as_anything_but_a_network() {
    replay("tflite");
}

#[test]
fn no_kept_weights_are_imported_as_anything_but_a_network() {
    replay("sequential");
}

#[test]
fn no_kept_input_is_accepted_as_evidence() {
    replay("evidence");
}

#[test]
fn no_kept_input_makes_a_sealed_model_of_what_was_not_sealed() {
    replay("sealed_model");
}

/// The corpus, and the well-formed inputs that it grew from.
fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(own, _)| *own == name).unwrap();
    for file in corpus(name) {
        let input = std::fs::read(&file).unwrap();
        assert!(catch_unwind(|| target(&input)).is_ok(), "{}", file.display());
    }
    let seeds = seeds(name);
    assert!(!seeds.is_empty());
    for (number, seed) in seeds.iter().enumerate() {
        assert!(catch_unwind(|| target(seed)).is_ok(), "seed {number}");
    }
}

fn corpus(name: &str) -> Vec<PathBuf> {
    entries(&Path::new(CORPORA).join(name))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
