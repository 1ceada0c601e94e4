//! Logs that change hands: from one key to another, and from a damaged log to a new one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use base64::Engine as _;
use place::{Place, append, clock};
use sealgate_audit::{
    AuditError, CheckpointKey, Event, Log, Opened, Options, PreviousLog, Retention, Signers,
    VerifierKey, VerifyOptions, What,
};
use std::fs;
use std::path::PathBuf;

fn key_file(place: &Place, name: &str) -> PathBuf {
    place.key_file().with_file_name(name)
}

fn open(place: &Place, key: &str, previous: Option<&str>) -> Result<(Log, Opened), AuditError> {
    open_with(place, place.options(), key, previous)
}

fn open_with(
    place: &Place,
    options: Options,
    key: &str,
    previous: Option<&str>,
) -> Result<(Log, Opened), AuditError> {
    let load = |name: &str| CheckpointKey::load_or_create(&key_file(place, name)).unwrap();
    Log::open(options, Signers { key: load(key), previous: previous.map(load) }, clock())
}

/// A log that key `one` began, and that `two` signs since.
fn changed() -> Place {
    let place = Place::new();
    append(&open(&place, "one", None).unwrap().0, 20);
    append(&open(&place, "two", Some("one")).unwrap().0, 20);
    place
}

fn verifier(place: &Place, name: &str) -> VerifierKey {
    let key = CheckpointKey::load(&key_file(place, name)).unwrap();
    key.verifier(&place.options().origin).unwrap()
}

fn pinned(key: VerifierKey) -> VerifyOptions {
    VerifyOptions { pinned_key: Some(key), ..VerifyOptions::default() }
}

#[test]
fn a_log_goes_on_under_another_key_that_the_first_one_has_signed() {
    let place = changed();
    let report = place.verify();
    assert!(report.is_well(), "{:?}", report.findings);
    assert_eq!(report.key, Some(verifier(&place, "two")));
    for name in ["one", "two"] {
        let report = place.verify_with(&pinned(verifier(&place, name)));
        assert!(report.is_well() && report.key_is_pinned, "{name}");
    }
    CheckpointKey::create(&key_file(&place, "three")).unwrap();
    assert!(!place.verify_with(&pinned(verifier(&place, "three"))).is_well());
}

#[test]
fn once_changed_the_key_before_is_not_needed_and_not_taken() {
    let place = changed();
    append(&open(&place, "two", None).unwrap().0, 1);
    append(&open(&place, "two", Some("one")).unwrap().0, 1);
    let changes = place
        .entries()
        .into_iter()
        .filter(|entry| matches!(entry.record().unwrap().event, Event::KeyRotated(_)));
    assert_eq!(changes.count(), 1);
    assert!(matches!(open(&place, "one", None), Err(AuditError::OtherKey { .. })));
    assert!(matches!(open(&place, "three", Some("one")), Err(AuditError::OtherKey { .. })));
}

#[test]
fn the_checkpoint_of_the_change_is_signed_by_both() {
    let place = changed();
    let keys = [verifier(&place, "one"), verifier(&place, "two")];
    let mut both = 0;
    for name in place.segments() {
        let text = String::from_utf8_lossy(&fs::read(place.file(&name)).unwrap()).into_owned();
        both += text.matches("\n\n— ").count();
        assert!(text.contains("example.org/audit\n"));
    }
    assert!(both > 1);
    // The last one is the second key's alone.
    let note = fs::read_to_string(place.outside()).unwrap();
    assert!(sealgate_audit::Checkpoint::open(&note, &keys[1]).is_ok());
    assert!(sealgate_audit::Checkpoint::open(&note, &keys[0]).is_err());
}

#[test]
fn a_checkpoint_of_the_first_key_still_shows_a_rollback_of_the_second() {
    let place = Place::new();
    append(&open(&place, "one", None).unwrap().0, 20);
    let early = fs::read_to_string(place.outside()).unwrap();
    append(&open(&place, "two", Some("one")).unwrap().0, 20);
    let options = VerifyOptions { outside_checkpoint: Some(early), ..VerifyOptions::default() };
    assert!(place.verify_with(&options).is_well());
    fs::remove_dir_all(place.audit()).unwrap();
    fs::remove_file(place.outside()).unwrap();
    append(&open(&place, "one", None).unwrap().0, 30);
    let report = place.verify_with(&options);
    assert_eq!(report.findings.last().map(|finding| &finding.what), Some(&What::Forked));
}

#[test]
fn a_log_put_back_as_it_was_before_its_key_changed_does_not_start() {
    let place = Place::new();
    append(&open(&place, "one", None).unwrap().0, 20);
    let once = place.copy();
    append(&open(&place, "two", Some("one")).unwrap().0, 20);
    for name in ["one", "two"] {
        fs::copy(key_file(&place, name), key_file(&once, name)).unwrap();
    }
    let copy = fs::read(place.outside()).unwrap();
    fs::write(once.outside(), &copy).unwrap();
    let refused = open(&once, "two", Some("one")).err().unwrap();
    assert!(
        matches!(&refused, AuditError::Damaged(finding) if finding.what == What::RolledBack(42)),
        "{refused}"
    );
    assert_eq!(fs::read(once.outside()).unwrap(), copy, "the evidence is kept");
}

#[test]
fn a_change_cut_anywhere_is_recovered_or_refused() {
    let place = Place::new();
    append(&open(&place, "one", None).unwrap().0, 3);
    let name = place.segments().pop().unwrap();
    let before = fs::metadata(place.file(&name)).unwrap().len();
    drop(open(&place, "two", Some("one")).unwrap());
    let after = fs::metadata(place.file(&name)).unwrap().len();
    assert!(after > before + 512);
    for end in before..after {
        let copy = place.copy();
        for name in ["one", "two"] {
            fs::copy(key_file(&place, name), key_file(&copy, name)).unwrap();
        }
        // As after a crash: the rest was never published.
        fs::remove_file(copy.file("checkpoint")).unwrap();
        place::set_length(&copy.file(&name), end);
        open(&copy, "two", Some("one")).unwrap().0.close().unwrap();
        let report = copy.verify_with(&pinned(verifier(&copy, "one")));
        assert!(report.is_well(), "cut at {end}: {:?}", report.findings);
        assert_eq!(report.key, Some(verifier(&copy, "two")), "cut at {end}");
    }
}

#[test]
fn the_keys_of_a_pruned_log_are_those_of_the_records_that_stayed() {
    let place = changed();
    let retention = Retention { bytes: Some(6_000), age: None };
    let options = Options { retention, ..place.options() };
    append(&open_with(&place, options, "two", None).unwrap().0, 100);
    let report = place.verify_with(&pinned(verifier(&place, "two")));
    assert!(report.is_well() && report.key_is_pinned, "{:?}", report.findings);
    assert!(report.first_record > 50);
    // Of what the first key signed nothing is left, and a record's word is not enough.
    let by_first = place.verify_with(&pinned(verifier(&place, "one")));
    assert!(!by_first.is_well() && !by_first.key_is_pinned);
    assert_eq!(report.key, Some(verifier(&place, "two")));
    let kept = place.files().into_iter().filter(|name| name.starts_with("kept/"));
    assert_eq!(kept.count(), 2);
    append(&open(&place, "two", None).unwrap().0, 1);
}

#[test]
fn a_new_log_says_where_the_damaged_one_before_it_ended() {
    let place = Place::finished(20);
    let report = place.verify();
    let previous = PreviousLog {
        key: report.key.unwrap().to_string().into(),
        root: hex::encode(report.checkpoint.unwrap().root).into(),
        size: 21,
    };
    let new = Place::new();
    let options = Options { previous_log: Some(previous.clone()), ..new.options() };
    new.open_with(options.clone()).unwrap();
    // It is said once.
    new.open_with(options).unwrap();
    let first = new.entries().remove(0).record().unwrap().event;
    let Event::LogStarted(started) = first else { unreachable!("{first:?}") };
    assert_eq!(started.previous, Some(previous));
    assert!(new.verify().is_well());
    assert_eq!(new.entries().len(), 1);
}

/// A line of a signer that this log knows nothing of, as long as one of ML-DSA-65 with its key id.
fn post_quantum_line() -> String {
    let signature = base64::engine::general_purpose::STANDARD.encode(vec![7; 4 + 3309]);
    format!("\u{2014} pq.example.org {signature}\n")
}

#[test]
fn a_checkpoint_may_have_a_post_quantum_line_beside_ours() {
    let place = Place::finished(5);
    let name = place.segments().pop().unwrap();
    place.rearrange(&name, |frames| {
        let frame = frames.last_mut().unwrap();
        frame.extend_from_slice(post_quantum_line().as_bytes());
        let length = (frame.len() as u32 - 8).to_le_bytes();
        let crc = crc32c::crc32c_append(crc32c::crc32c(&length), &frame[8..]).to_le_bytes();
        frame[..8].copy_from_slice(&[length, crc].concat());
    });
    let note = fs::read_to_string(place.file("checkpoint")).unwrap() + &post_quantum_line();
    fs::write(place.file("checkpoint"), &note).unwrap();
    fs::write(place.outside(), &note).unwrap();
    let outside_checkpoint = Some(note);
    let report = place.verify_with(&VerifyOptions { outside_checkpoint, ..Default::default() });
    assert!(report.is_well(), "{:?}", report.findings);
    append(&place.open().unwrap().0, 30);
    assert!(place.verify().is_well());
}

#[test]
fn every_segment_has_room_for_such_a_line_behind_its_records() {
    let place = Place::finished(60);
    let segment_bytes = place.options().segment_bytes as usize;
    let ended = place.segments();
    for name in &ended[..ended.len() - 1] {
        let (at, end) = *place.frames(name).last().unwrap();
        let room = segment_bytes - at;
        assert!(end - at + post_quantum_line().len() < room, "{name}: {room}");
        assert!(room >= 8 << 10, "{name}: {room}");
    }
}
