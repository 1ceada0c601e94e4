//! `sealgate policy check` on a good folder and on bad ones.

use std::fs;

use super::sealgate::{run, text};
use super::state::State;

#[test]
fn the_demos_policies_are_well() {
    let state = State::prepared();
    let policies = state.dir.join("policies");
    let said = run(["policy", "check", text(&policies)]).well();
    assert!(said.contains(" is well: 2 models, digest "), "{said}");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn the_demos_policies_are_refused_in_production() {
    let state = State::prepared();
    let policies = state.dir.join("policies");
    let ran = run(["policy", "check", text(&policies), "--profile", "production"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("a dev issuer is refused in production"), "{}", ran.out);
}

#[test]
fn every_mistake_is_found_and_told_with_its_line() {
    let state = State::prepared();
    let rule = state.dir.join("policies/rules/clinicians.cedar");
    let broken = fs::read_to_string(&rule).unwrap().replacen("clinicians\"", "clincians\"", 1);
    fs::write(&rule, broken.replacen("Group::\"clinicians\"", "Group::\"clinicans\"", 1)).unwrap();
    fs::write(state.dir.join("policies/limits.toml"), "[limits.clinic\n").unwrap();
    let report = run(["policy", "check", text(&state.dir.join("policies")), "--json"]);
    assert_eq!(report.code, Some(1));
    let report = report.json();
    assert_eq!(report["well"], false);
    let files: Vec<&str> = report["mistakes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mistake| mistake["severity"] == "error" && mistake["line"].is_u64())
        .map(|mistake| mistake["file"].as_str().unwrap())
        .collect();
    assert!(
        files.contains(&"limits.toml") && files.contains(&"rules/clinicians.cedar"),
        "{report}"
    );
}

#[test]
fn tests_are_read_with_the_folder_and_not_run() {
    let state = State::prepared();
    let policies = state.dir.join("policies");
    let check = || run(["policy", "check", text(&policies)]);
    let said = check().well();
    assert!(said.contains(" cases to be met: `sealgate policy test` runs them\n"), "{said}");

    let who = policies.join("tests/who.toml");
    let before = fs::read_to_string(&who).unwrap();
    fs::write(&who, before.replacen("verdict = \"allow\"", "verdict = \"deny\"", 1)).unwrap();
    let said = check();
    assert!(said.out.contains("`release` and `limits` are granted"), "{}", said.out);
    fs::write(&who, before.replacen("other_tenant", "another_tenant", 1)).unwrap();
    check().well();
    fs::write(&who, before.replacen("verdict", "verdikt", 1)).unwrap();
    let said = check();
    assert_eq!(said.code, Some(1));
    assert!(
        said.out.contains("error: policy `tests/who.toml` line 7 column 12: unknown field `verdikt`\nhint: did you mean `verdict`?\n"),
        "{}",
        said.out
    );
    fs::write(policies.join("limits.toml"), "[limits.clinic\n").unwrap();
    let report = run(["policy", "check", text(&policies), "--json"]).json();
    let files: Vec<_> =
        report["mistakes"].as_array().unwrap().iter().map(|one| &one["file"]).collect();
    assert!(files.contains(&&"limits.toml".into()), "{report}");
    assert!(files.contains(&&"tests/who.toml".into()), "{report}");
}

#[test]
fn a_folder_that_is_not_there_is_not_well() {
    let ran = run(["policy", "check", "/nowhere"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("cannot be read"), "{}", ran.out);
}
