//! The worker runs for a gateway or not at all.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Stdio};

#[test]
fn a_worker_that_no_gateway_started_says_so_and_ends_with_78() {
    let config = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_sealgate-worker"))
        .arg("--config")
        .arg(config.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("started by a gateway"));
}
