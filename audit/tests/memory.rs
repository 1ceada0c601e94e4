//! Verifying takes as much memory for a long log as for a short one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use place::{Place, decision, request};
use sealgate_audit::{Event, Log, Options, Outcome};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Set in the process that a test starts of itself.
const INNER: &str = "SEALGATE_TEST_VERIFY";
const NAME: &str = "a_log_twice_as_long_takes_no_more_memory_to_verify";

fn outcome(n: u64) -> Event {
    Event::Outcome(Box::new(Outcome {
        code: "ok".into(),
        keyset_digest: None,
        length_class: "4096".into(),
        model_digest: Some("33".repeat(32).into()),
        receipt_digest: None,
        request_id: request(n).to_string().into(),
        rows: 1,
        stages_us: [("total".into(), 400)].into(),
        status: 200,
        usage: None,
    }))
}

/// Writes so many requests, each with its outcome.
fn write(log: &Log, from: u64, count: u64) {
    for n in from..from + count {
        log.append(&decision(n, "dr-house"), |_| {});
        if n % 500 == 0 {
            log.append_and_wait(&outcome(n)).unwrap();
        } else {
            log.append(&outcome(n), |_| {});
        }
    }
}

/// The most that a process of its own had resident while it verified, in kilobytes.
fn peak_kb(place: &Place) -> u64 {
    let own = std::env::current_exe().unwrap();
    let root = place.key_file();
    let root = root.parent().unwrap();
    let ran = Command::new(own).args(["--exact", NAME, "--nocapture"]).env(INNER, root).output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let peak = said.lines().find_map(|line| line.split_once("VmHWM:"));
    peak.unwrap().1.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[allow(clippy::print_stdout, reason = "the inner process tells the outer one")]
fn a_log_twice_as_long_takes_no_more_memory_to_verify() {
    if let Some(root) = std::env::var_os(INNER) {
        assert!(Place::at(Path::new(&root)).verify().is_well());
        let status = fs::read_to_string("/proc/self/status").unwrap();
        println!("{}", status.lines().find(|line| line.starts_with("VmHWM:")).unwrap());
        return;
    }
    let place = Place::new();
    let options = || Options { segment_bytes: 4 << 20, ..place.options() };
    let mut peaks = Vec::new();
    let count = 30_000;
    for from in [0, count, 2 * count, 3 * count] {
        let log = place.open_with(options()).unwrap().0;
        write(&log, from, count);
        log.close().unwrap();
        peaks.push(peak_kb(&place));
    }
    let bytes: u64 =
        place.segments().iter().map(|name| fs::metadata(place.file(name)).unwrap().len()).sum();
    assert!(bytes > 80_000_000, "{bytes}");
    // From one segment's worth of ids on it stays as it is, at a fraction of the log's size.
    let [_, two, _, four] = peaks[..] else { unreachable!("{peaks:?}") };
    assert!(four < two + 2_048, "{peaks:?}");
    assert!(four < 32_768, "{peaks:?}");
}
