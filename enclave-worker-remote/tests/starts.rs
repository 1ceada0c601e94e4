//! The remote worker waits for the gateway that its configuration pins, or does not run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn run(config: &str) -> Output {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(config.as_bytes()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_sealgate-worker-remote"))
        .arg("--config")
        .arg(file.path())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_worker_without_a_gateway_to_wait_for_says_so_and_ends_with_78() {
    let output = run("threads = 1");
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no `[remote]`"));
}

#[test]
fn a_worker_without_its_files_names_the_first_one_and_ends_with_78() {
    let output =
        run("[remote]\nlisten = \"127.0.0.1:0\"\ncert = \"/nowhere/c\"\nkey = \"/nowhere/k\"\n\
         gateway_ca = \"/nowhere/ca\"\ngateway_cert = \"/nowhere/gateway\"\n");
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`/nowhere/ca`"));
}
