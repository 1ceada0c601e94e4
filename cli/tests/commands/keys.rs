//! Keys of one's own, and what sealing demands before anybody is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::sealgate::{run, text};
use super::state::State;

const PIN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn a_generated_key_is_for_its_owner_alone_and_its_public_half_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("operator.key");
    let printed = run(["keys", "generate", "--out", text(&path)]).well();
    assert_eq!(printed.trim().len(), 44, "{printed}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_key_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("operator.key");
    run(["keys", "generate", "--out", text(&path)]).well();
    let before = fs::read(&path).unwrap();
    let said = run(["keys", "generate", "--out", text(&path)]).failed(1);
    assert!(said.contains("is there already\nhint: "), "{said}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_generated_kek_is_32_bytes_for_its_owner_alone_and_its_id_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kek");
    let printed = run(["keys", "generate", "--kek", "--out", text(&path)]).well();
    assert_eq!(printed.trim().len(), 32, "{printed}");
    let before = fs::read(&path).unwrap();
    assert_eq!(before.len(), 32);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    run(["keys", "generate", "--kek", "--out", text(&path)]).failed(1);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_is_demanded_of_a_worker_without_sealing_is_bad_usage() {
    let state = State::prepared();
    let example = state.dir.join("example.json");
    let infer = ["infer", "--state", text(&state.dir), "--input", text(&example)];
    for more in [&["--accept", "software", "--pin", PIN][..], &["--kem", "x25519"], &["--unpinned"]]
    {
        let said = run(infer.iter().chain(more)).failed(64);
        assert!(said.contains("hint: add `--sealed`"), "{said}");
    }
    run(infer.iter().chain(&["--receipt", "r.json"])).failed(64);
}

#[test]
fn nothing_is_sealed_while_nobody_vouches_for_the_worker() {
    let state = State::prepared();
    state.pretend_to_run(None);
    let example = state.dir.join("example.json");
    let infer = ["infer", "--sealed", "--state", text(&state.dir), "--input", text(&example)];
    let said = run(infer).failed(64);
    assert!(said.contains("nothing says who must vouch for the worker\nhint: "), "{said}");
    run(infer.iter().chain(&["--accept", "software"])).failed(64);
    run(infer.iter().chain(&["--pin", PIN])).failed(64);
    run(infer.iter().chain(&["--accept", "software", "--pin", "AAAA"])).failed(64);
    run(infer.iter().chain(&["--accept", "software", "--pin", PIN, "--unpinned"])).failed(64);
    run(infer.iter().chain(&["--accept", "none"])).failed(64);
    // Nobody listens there, so this is how far it gets once somebody is named.
    let said = run(infer.iter().chain(&["--accept", "software", "--pin", PIN])).failed(1);
    assert!(said.contains("cannot connect"), "{said}");
}

#[test]
fn going_on_without_evidence_is_said_to_protect_from_everybody_but_the_gateway() {
    let state = State::prepared();
    state.pretend_to_run(None);
    let said = run(["keys", "--state", text(&state.dir), "--unpinned"]).failed(1);
    assert!(said.starts_with("not protected against the gateway\n"), "{said}");
}

#[test]
fn the_demos_own_operator_is_who_vouches_by_default() {
    let state = State::prepared();
    state.pretend_to_run(Some(PIN));
    let said = run(["keys", "--state", text(&state.dir)]).failed(1);
    assert!(said.starts_with("error: cannot connect"), "{said}");
}

#[test]
fn measurements_that_are_not_signed_by_the_pinned_key_are_bad_configuration() {
    let state = State::prepared();
    state.pretend_to_run(None);
    let file = state.dir.join("measurements.toml");
    fs::write(&file, "version = 1\n").unwrap();
    fs::write(state.dir.join("measurements.toml.sig"), format!("{}==", "A".repeat(86))).unwrap();
    let said = run([
        "keys",
        "--state",
        text(&state.dir),
        "--accept",
        "sev-snp",
        "--measurements",
        text(&file),
        "--measurements-key",
        PIN,
    ])
    .failed(78);
    assert!(said.contains("not signed by the pinned key"), "{said}");
}
