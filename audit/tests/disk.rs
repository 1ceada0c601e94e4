//! Real disks that fill up, files that vanish, writes that fail.
//!
//! A full disk is a small tmpfs in a mount namespace of its own; where the kernel grants none, the
//! test says so and ends, and fails where `CI` is set.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic and say why")]

mod place;

use nix::sys::resource::{Resource, setrlimit};
use place::{Place, append, decision, event, request, until};
use sealgate_audit::{AppendError, Log, LogReader, Options};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// Set in the process that a test starts of itself.
const INNER: &str = "SEALGATE_TEST_DISK";

/// Runs this test again by way of a shell; `before` is done there first.
fn again(test: &str, before: &str, dir: &Path) -> Output {
    let own = std::env::current_exe().unwrap();
    let script = format!("{before} exec {} --exact {test} --nocapture", own.display());
    let shell = ["-c", &script];
    let namespace = before.contains("mount");
    let mut command = Command::new(if namespace { "unshare" } else { "sh" });
    if namespace {
        command.args(["-Urm", "sh"]);
    }
    command.args(shell).env(INNER, dir).output().unwrap()
}

fn assert_well(test: &str, ran: &Output) {
    let said = [&ran.stdout[..], &ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if said.contains("unshare failed") || said.contains("permission denied") {
        assert!(std::env::var_os("CI").is_none(), "{test} needs a user namespace: {said}");
        eprintln!("skipped, for want of a user namespace: {test}");
        return;
    }
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

fn options(place: &Place) -> Options {
    let checkpoint_every = Duration::from_millis(20);
    Options { segment_bytes: 1 << 16, checkpoint_every, ..place.options() }
}

/// Appends until the log refuses; how many records it took.
fn until_refused(log: &Log) -> (u64, AppendError) {
    for n in 0.. {
        if let Err(error) = log.append_and_wait(&decision(n, "dr-house")) {
            return (n, error);
        }
    }
    unreachable!("a disk is finite")
}

#[test]
fn a_full_disk_loses_nothing_and_takes_records_again_when_there_is_room() {
    const NAME: &str = "a_full_disk_loses_nothing_and_takes_records_again_when_there_is_room";
    let Some(dir) = std::env::var_os(INNER) else {
        let dir = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=1m tmpfs {} &&", dir.path().display());
        assert_well(NAME, &again(NAME, &mount, dir.path()));
        return;
    };
    let dir = Path::new(&dir);
    let place = Place::at(dir);
    let filler = dir.join("filler");
    fs::write(&filler, vec![1; 600 << 10]).unwrap();
    let log = place.open_with(options(&place)).unwrap().0;
    let (taken, error) = until_refused(&log);
    assert_eq!(error, AppendError::DiskLow);
    assert!(taken > 50, "{taken}");
    // Not one byte is left for the tiles either.
    let mut rest = 1 << 16;
    while rest > 0 {
        match fs::write(dir.join(format!("more-{rest}")), vec![1; rest]) {
            Ok(()) => {}
            Err(_) => rest /= 2,
        }
    }
    assert!(log.append_and_wait(&event("x")).is_err());
    for n in 0..taken {
        assert!(log.reader().decision(request(n)).unwrap().is_some(), "{n} of {taken}");
    }
    fs::remove_file(&filler).unwrap();
    log.append_and_wait(&decision(9_999, "dr-house")).unwrap();
    drop(log);
    let report = place.verify();
    assert!(report.is_well(), "{:?}", report.findings);
    place.open().unwrap().0.close().unwrap();
    let reader = LogReader::new(&place.audit());
    let entry = reader.decision(request(9_999)).unwrap().unwrap();
    assert!(reader.prove(&entry).unwrap().is_some());
}

#[test]
fn a_write_that_fails_ends_the_log_and_no_record_after_it_is_confirmed() {
    const NAME: &str = "a_write_that_fails_ends_the_log_and_no_record_after_it_is_confirmed";
    let Some(dir) = std::env::var_os(INNER) else {
        let dir = tempfile::tempdir().unwrap();
        assert_well(NAME, &again(NAME, "trap '' XFSZ;", dir.path()));
        return;
    };
    let place = Place::at(Path::new(&dir));
    let log = place.open_with(options(&place)).unwrap().0;
    for n in 0..10 {
        log.append_and_wait(&decision(n, "dr-house")).unwrap();
    }
    // From now on the kernel refuses every write behind the first kilobyte of a file.
    setrlimit(Resource::RLIMIT_FSIZE, 1024, 1 << 30).unwrap();
    assert_eq!(log.append_and_wait(&decision(10, "dr-house")), Err(AppendError::Failed));
    setrlimit(Resource::RLIMIT_FSIZE, 1 << 30, 1 << 30).unwrap();
    assert_eq!(log.append_and_wait(&decision(11, "dr-house")), Err(AppendError::Failed));
    assert!(log.health().failure.unwrap().contains("cannot write"));
    drop(log);
    let log = place.open().unwrap().0;
    for n in 0..12 {
        let found = LogReader::new(&place.audit()).decision(request(n)).unwrap().is_some();
        assert!(found || n >= 10, "{n}");
    }
    append(&log, 1);
}

#[test]
fn a_segment_that_is_removed_or_replaced_under_the_log_ends_it() {
    for replace in [false, true] {
        let place = Place::new();
        let log = place.open_with(options(&place)).unwrap().0;
        append(&log, 3);
        let path = place.last_file();
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        if replace {
            fs::write(&path, bytes).unwrap();
        }
        let mut confirmed = 0;
        until("the log ends", || {
            let appended = log.append_and_wait(&event("after"));
            confirmed += u64::from(appended.is_ok());
            appended == Err(AppendError::Failed)
        });
        assert!(
            log.health()
                .failure
                .unwrap()
                .contains("is not the file that is being written any more")
        );
    }
}

#[test]
fn a_folder_that_is_moved_away_ends_the_log() {
    let place = Place::new();
    let log = place.open_with(options(&place)).unwrap().0;
    append(&log, 3);
    fs::rename(place.audit(), place.key_file().with_file_name("moved")).unwrap();
    until("the log ends", || log.append_and_wait(&event("x")) == Err(AppendError::Failed));
}

#[test]
fn a_folder_that_turns_read_only_ends_the_log_and_is_not_written_at_the_next_start() {
    const NAME: &str =
        "a_folder_that_turns_read_only_ends_the_log_and_is_not_written_at_the_next_start";
    let Some(dir) = std::env::var_os(INNER) else {
        let dir = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=8m tmpfs {} &&", dir.path().display());
        assert_well(NAME, &again(NAME, &mount, dir.path()));
        return;
    };
    let place = Place::at(Path::new(&dir));
    let log = place.open_with(options(&place)).unwrap().0;
    append(&log, 3);
    // A file system with an open file cannot be made read-only, but what is mounted over it can: the
    // segment goes on to be written, and no next one can be made.
    let audit = place.audit();
    let mount = |arguments: &[&str]| {
        let mounted = Command::new("mount").args(arguments).arg(&audit).status().unwrap();
        assert!(mounted.success(), "{arguments:?}");
    };
    mount(&["--bind", audit.to_str().unwrap()]);
    mount(&["-o", "remount,ro,bind"]);
    let (taken, error) = until_refused(&log);
    assert_eq!(error, AppendError::Failed);
    until("the cause told", || log.health().failure.is_some());
    let failure = log.health().failure.unwrap();
    assert!(failure.contains("cannot create") && failure.contains("Read-only"), "{failure}");
    drop(log);
    let before: Vec<_> =
        place.files().iter().map(|name| fs::read(place.file(name))).map(Result::unwrap).collect();
    let refused = place.open_with(options(&place)).err().unwrap().to_string();
    assert!(refused.contains("cannot"), "{refused}");
    let after: Vec<_> =
        place.files().iter().map(|name| fs::read(place.file(name))).map(Result::unwrap).collect();
    assert_eq!(before, after);
    // It can be read and verified as it is: nothing is wrong with its records, and what could not be
    // written beside them is made at the next start.
    let findings = place.verify().findings;
    let of_records = |name: &str| name.starts_with("segment-");
    assert!(!findings.iter().any(|finding| of_records(&finding.file)), "{findings:?}");
    assert!(Command::new("umount").arg(&audit).status().unwrap().success());
    place.open_with(options(&place)).unwrap().0.close().unwrap();
    assert!(place.verify().is_well());
    for n in 0..taken {
        assert!(LogReader::new(&audit).decision(request(n)).unwrap().is_some(), "{n} of {taken}");
    }
}
