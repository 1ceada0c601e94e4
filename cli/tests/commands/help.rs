//! What `--help` says is a fixture: whoever changes it sees what users will see.
//!
//! `UPDATE_HELP=1 cargo test -p sealgate-cli help` writes the files anew.

use std::fs;
use std::path::Path;

use super::sealgate::run;

const COMMANDS: [&str; 53] = [
    "",
    "demo",
    "token",
    "infer",
    "keys",
    "keys generate",
    "receipt",
    "receipt verify",
    "receipt replay",
    "model",
    "model train",
    "model import",
    "model compress",
    "model split",
    "model list",
    "model inspect",
    "model run",
    "model verify",
    "model seal",
    "model unseal",
    "model rewrap",
    "policy",
    "policy check",
    "policy test",
    "policy explain",
    "policy diff",
    "policy show",
    "audit",
    "audit verify",
    "audit index",
    "audit query",
    "audit tail",
    "audit show",
    "audit export",
    "audit prove",
    "audit recover",
    "audit pseudonym",
    "audit forget",
    "audit serve",
    "usage",
    "admin",
    "admin standing",
    "admin reload",
    "admin lock-down",
    "admin lift-lock-down",
    "admin stop-model",
    "admin resume-model",
    "admin revoke-measurement",
    "admin restore-measurement",
    "admin revoke",
    "admin rotate-keys",
    "admin end-workers",
    "pool",
];

#[test]
fn every_help_text_is_its_fixture() {
    for command in COMMANDS {
        let help = run(command.split_whitespace().chain(["--help"])).well();
        let name = format!("sealgate {command}").trim().replace(' ', "-");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        if std::env::var_os("UPDATE_HELP").is_some() {
            fs::write(&path, &help).unwrap();
        }
        assert_eq!(help, fs::read_to_string(&path).unwrap(), "{}", path.display());
    }
}

#[test]
fn every_command_has_a_fixture_and_every_fixture_a_command() {
    let fixtures = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help")).unwrap();
    assert_eq!(fixtures.count(), COMMANDS.len());
}

#[test]
fn an_unknown_command_is_bad_usage() {
    run(["dmeo"]).failed(64);
}

#[test]
fn no_command_at_all_is_bad_usage() {
    run([""; 0]).failed(64);
}

#[test]
fn the_version_is_an_answer() {
    assert!(run(["--version"]).well().starts_with("sealgate 0."));
}
