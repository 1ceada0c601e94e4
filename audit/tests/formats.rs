//! Logs that earlier versions wrote, kept as files: each must still verify, prove and go on.
//!
//! `NEW_FORMAT=1 cargo test -p sealgate-audit --test formats` writes one of the format of today, when
//! there is a new one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use place::{Place, append, decision, request};
use sealgate_audit::{LogReader, Opened, Options};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The newest format that there is.
const NEWEST: u32 = 1;
const DECISIONS: u64 = 270;

fn kept(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/formats/{format}"))
}

fn options(place: &Place) -> Options {
    Options { segment_bytes: 1 << 17, ..place.options() }
}

/// Copies a folder; what git does not keep of modes is put right.
fn copy(from: &Path, to: &Path) {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

#[test]
fn a_log_of_every_format_verifies_proves_and_goes_on() {
    if std::env::var_os("NEW_FORMAT").is_some() {
        write();
    }
    for format in 1..=NEWEST {
        let place = Place::new();
        copy(&kept(format), place.key_file().parent().unwrap());
        let report = place.verify();
        assert!(report.is_well(), "format {format}: {:?}", report.findings);
        assert_eq!((report.records, report.unsigned_records), (DECISIONS + 1, 0));
        let reader = LogReader::new(&place.audit());
        let entry = reader.decision(request(7)).unwrap().unwrap();
        let proof = reader.prove(&entry).unwrap().unwrap();
        proof.check(&report.key.unwrap()).unwrap();
        let (log, opened) = place.open_with(options(&place)).unwrap();
        assert_eq!(opened, Opened::Whole);
        append(&log, 300);
        log.close().unwrap();
        assert!(place.verify().is_well(), "format {format}");
    }
}

fn write() {
    let place = Place::new();
    let log = place.open_with(options(&place)).unwrap().0;
    for n in 0..DECISIONS {
        log.append_and_wait(&decision(n, "dr-house")).unwrap();
    }
    log.close().unwrap();
    fs::remove_file(place.outside()).unwrap();
    copy(place.key_file().parent().unwrap(), &kept(NEWEST));
}
