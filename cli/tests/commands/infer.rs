//! `sealgate infer` without a gateway: with one it is tried by the tests of whole paths.

use super::sealgate::{run, text};
use super::state::State;

#[test]
fn a_demo_that_does_not_run_is_said_not_to() {
    let state = State::prepared();
    let example = state.dir.join("example.json");
    let said = run(["infer", "--state", text(&state.dir), "--input", text(&example)]).failed(1);
    assert!(said.starts_with("error: no demo is running on `"), "{said}");
    assert!(said.contains("\nhint: sealgate demo --state "), "{said}");
}

#[test]
fn a_demo_that_was_killed_is_said_to_be_gone() {
    let state = State::prepared();
    state.pretend_to_run(None);
    let example = state.dir.join("example.json");
    let said = run(["infer", "--state", text(&state.dir), "--input", text(&example)]);
    let said = said.failed(1);
    assert!(said.starts_with("error: cannot connect to `https://127.0.0.1:1`"), "{said}");
    assert!(said.contains("\nhint: "), "{said}");
}
