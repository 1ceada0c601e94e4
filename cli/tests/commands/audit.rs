//! `sealgate audit verify` on logs made here.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use sealgate_audit::{CheckpointKey, Event, Log, Options, Origin, Stopped};
use tempfile::TempDir;

use super::sealgate::{run, text};

struct Sample {
    place: TempDir,
    dir: PathBuf,
    key: String,
}

fn log() -> Sample {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("audit");
    let options = Options {
        low_water_bytes: 0,
        checkpoint_copy: Some(place.path().join("checkpoint")),
        ..Options::new(&dir, Origin::new("test.example/audit").unwrap())
    };
    let key = CheckpointKey::create(&place.path().join("key")).unwrap();
    let (log, _) = Log::open(options, key, Arc::new(|| 1_795_000_000_000_000)).unwrap();
    for _ in 0..5 {
        log.append_and_wait(&Event::Stopped(Stopped { why: "test".into() })).unwrap();
    }
    let key = log.verifier_key().to_string();
    log.close().unwrap();
    Sample { place, dir, key }
}

impl Sample {
    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.place.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

#[test]
fn a_log_that_is_whole_is_well() {
    let sample = log();
    let report = run(["audit", "verify", text(&sample.dir), "--json"]);
    assert_eq!(report.code, Some(0), "{}", report.out);
    let report = report.json();
    assert_eq!((&report["well"], &report["records"]), (&true.into(), &6.into()), "{report}");
    assert_eq!(report["key"], sample.key.as_str());
}

#[test]
fn the_report_names_records_root_and_key() {
    let sample = log();
    let said = run(["audit", "verify", text(&sample.dir)]).well();
    for expected in [
        "records      6",
        "over 6 records",
        "test.example/audit",
        "by the log's own word",
        " is well\n",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[test]
fn a_flipped_byte_is_found_and_its_place_told() {
    let sample = log();
    let files = fs::read_dir(&sample.dir).unwrap().map(|entry| entry.unwrap().path());
    let segments = files.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
    let segment = segments.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(4).position(|four| four == b"test").unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let ran = run(["audit", "verify", text(&sample.dir)]);
    assert_eq!(ran.code, Some(1));
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(ran.out.contains(&format!("wrong        `{name}` at byte ")), "{}", ran.out);
    assert!(ran.out.ends_with(" is not well\n"), "{}", ran.out);
}

#[test]
fn a_log_signed_by_the_pinned_key_is_well() {
    let sample = log();
    let key = sample.file("pinned", &format!("{}\n", sample.key));
    let said = run(["audit", "verify", text(&sample.dir), "--key", text(&key)]).well();
    assert!(said.contains(", as pinned"), "{said}");
}

#[test]
fn a_log_signed_by_another_key_is_not_well() {
    let (sample, other) = (log(), log());
    let key = sample.file("pinned", &other.key);
    let ran = run(["audit", "verify", text(&sample.dir), "--key", text(&key)]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("not by the pinned key"), "{}", ran.out);
}

#[test]
fn a_log_is_held_against_a_checkpoint_kept_elsewhere() {
    let sample = log();
    let kept = sample.place.path().join("checkpoint");
    run(["audit", "verify", text(&sample.dir), "--checkpoint", text(&kept)]).well();
    let forged = fs::read_to_string(&kept).unwrap().replacen("\n6\n", "\n7\n", 1);
    let forged = sample.file("forged", &forged);
    run(["audit", "verify", text(&sample.dir), "--checkpoint", text(&forged)]).failed(1);
}

#[test]
fn a_folder_without_a_log_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let said = run(["audit", "verify", text(dir.path())]).failed(1);
    assert!(said.contains("holds no audit log"), "{said}");
}
