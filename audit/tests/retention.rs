//! What is left when records are dropped, and that nobody can drop more than the log says.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use place::{Place, append, decision, request, until};
use sealgate_audit::{
    CheckpointKey, Event, Log, LogReader, Opened, Options, Proof, Retention, SegmentsDropped,
    VerifyOptions, What,
};
use std::fs::{self, File};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const BYTES: u64 = 20_000;

fn keeping(place: &Place, retention: Retention) -> Log {
    place.open_with(Options { retention, ..place.options() }).unwrap().0
}

/// A log of 400 decisions, of which the oldest are gone; and a proof of the first from before.
fn pruned() -> (Place, Proof) {
    let place = Place::new();
    let log = place.open().unwrap().0;
    log.append_and_wait(&decision(0, "dr-house")).unwrap();
    log.close().unwrap();
    let reader = LogReader::new(&place.audit());
    let entry = reader.decision(request(0)).unwrap().unwrap();
    let proof = reader.prove(&entry).unwrap().unwrap();
    let log = keeping(&place, Retention { bytes: Some(BYTES), age: None });
    for n in 1..400 {
        log.append_and_wait(&decision(n, "dr-house")).unwrap();
    }
    // What may go is looked for when a segment ends, and only of what is durable beside it.
    let mut n = 400;
    until("the old to go", || {
        log.append_and_wait(&decision(n, "dr-house")).unwrap();
        n += 1;
        bytes(&place) < BYTES + 3 * 4096
    });
    log.close().unwrap();
    (place, proof)
}

fn bytes(place: &Place) -> u64 {
    let segments = place.segments().into_iter().map(|name| fs::metadata(place.file(&name)));
    // One may go meanwhile.
    segments.map(|facts| facts.map_or(0, |facts| facts.len())).sum()
}

fn dropped(place: &Place) -> Vec<SegmentsDropped> {
    let entries = place.entries().into_iter();
    let dropped = entries.filter_map(|entry| match entry.record().unwrap().event {
        Event::SegmentsDropped(dropped) => Some(dropped),
        _ => None,
    });
    dropped.collect()
}

#[test]
fn what_is_too_much_goes_by_whole_segments_and_the_log_says_so() {
    let (place, _) = pruned();
    let bytes = bytes(&place);
    assert!((BYTES / 5..BYTES + 3 * 4096).contains(&bytes), "{bytes}");
    let report = place.verify();
    assert!(report.is_well(), "{:?}", report.findings);
    let last = dropped(&place).pop().unwrap();
    assert_eq!((last.why.as_str(), last.first_record), ("bytes", report.first_record));
    assert!(report.first_record > 300, "{}", report.first_record);
    assert_eq!(report.first_record + report.records, report.checkpoint.unwrap().size);
    let names: Vec<_> = place.files().into_iter().filter(|name| name.starts_with("ids/")).collect();
    assert_eq!(names.len(), place.segments().len() - 1, "{names:?}");
}

/// Seconds of the clock in the tests below.
const BEGIN_S: u64 = 1_795_000_000;
const DAY_S: u64 = 86_400;

/// A log of which a day passes between one record and the next, opened with a bound on days at a
/// time that is counted from its beginning.
fn after_days(place: &Place, days: u64, keep_days: u64) -> Log {
    let age = Some(Duration::from_secs(keep_days * DAY_S));
    let options = Options { retention: Retention { age, bytes: None }, ..place.options() };
    let key = CheckpointKey::load_or_create(&place.key_file()).unwrap();
    let now_us = (BEGIN_S + days * DAY_S) * 1_000_000;
    Log::open(options, key, Arc::new(move || now_us)).unwrap().0
}

/// Ten segments and more, the records of each a day younger than those before.
fn days() -> Place {
    let place = Place::new();
    for day in 0..10 {
        let log = after_days(&place, day, 1_000);
        append(&log, 16);
        log.close().unwrap();
    }
    place
}

#[test]
fn what_is_too_old_goes_and_what_is_not_stays() {
    let place = days();
    let log = after_days(&place, 10, 4);
    append(&log, 1);
    let first = place.segments()[0].clone();
    until("the old to go", || !place.file(&first).exists());
    log.close().unwrap();
    let report = place.verify();
    assert!(report.is_well(), "{:?}", report.findings);
    let last = dropped(&place).pop().unwrap();
    assert_eq!((last.why.as_str(), last.first_record), ("age", report.first_record));
    // All that is left of the days before the sixth stands in a segment that ended later.
    let begun = place.entries()[0].record().unwrap().time_us / 1_000_000 - BEGIN_S;
    assert!((5 * DAY_S..=6 * DAY_S).contains(&begun), "{begun}");
}

#[test]
fn what_a_file_looks_like_drops_no_segment_and_keeps_none() {
    let times = [SystemTime::UNIX_EPOCH, SystemTime::now() + Duration::from_secs(1 << 32)];
    for time in times {
        let place = days();
        let before = place.segments();
        for name in &before {
            let file = File::options().write(true).open(place.file(name)).unwrap();
            file.set_modified(time).unwrap();
        }
        let log = after_days(&place, 10, 1_000);
        append(&log, 16);
        log.close().unwrap();
        assert_eq!(place.segments()[0], before[0], "a touch dropped it");
        let log = after_days(&place, 10, 4);
        append(&log, 1);
        until("the old to go, touched or not", || !place.file(&before[0]).exists());
        log.close().unwrap();
    }
}

#[test]
fn without_a_bound_nothing_goes() {
    let place = Place::finished(400);
    append(&place.open().unwrap().0, 1);
    assert_eq!(place.verify().first_record, 0);
}

#[test]
fn proofs_of_what_was_dropped_go_on_to_hold_and_the_log_still_has_their_tree() {
    let (place, proof) = pruned();
    let key = place.verify().key.unwrap();
    proof.check(&key).unwrap();
    let reader = LogReader::new(&place.audit());
    assert!(reader.decision(request(0)).unwrap().is_none());
    // The tiles prove it anew, in the tree of today.
    let entry = sealgate_audit::Entry { file: "".into(), offset: 0, body: proof.body.clone() };
    let anew = reader.prove(&entry).unwrap().unwrap();
    assert_ne!(anew.checkpoint, proof.checkpoint);
    anew.check(&key).unwrap();
}

#[test]
fn a_pruned_log_goes_on_and_is_recovered_like_any_other() {
    let (place, _) = pruned();
    let first = place.verify().first_record;
    for round in 0..3 {
        let (log, opened) = place.open().unwrap();
        assert_eq!(opened, Opened::Whole);
        append(&log, 20);
        if round == 1 {
            let copy = place.copy();
            let report = copy.verify();
            assert!(report.is_well(), "{:?}", report.findings);
            copy.open().unwrap().0.close().unwrap();
            assert!(copy.verify().is_well());
        }
        log.close().unwrap();
    }
    assert_eq!(place.verify().first_record, first);
    assert!(place.verify().is_well());
}

#[test]
fn what_the_log_said_it_drops_goes_at_the_next_start() {
    let (place, _) = pruned();
    let first = place.segments()[0].clone();
    let (whole, halfway) = (place.copy(), place.copy());
    append(&keeping(&whole, Retention { bytes: Some(1), age: None }), 1);
    // As if the word had come and the deed had not.
    for name in whole.segments() {
        fs::copy(whole.file(&name), halfway.file(&name)).unwrap();
    }
    assert!(halfway.segments().contains(&first) && !whole.segments().contains(&first));
    fs::copy(whole.file("checkpoint"), halfway.file("checkpoint")).unwrap();
    halfway.open().unwrap().0.close().unwrap();
    assert_eq!(halfway.segments(), whole.segments());
    assert!(halfway.verify().is_well());
}

#[test]
fn dropping_more_than_the_log_says_is_found() {
    let (place, _) = pruned();
    let first = place.segments().remove(0);
    fs::remove_file(place.file(&first)).unwrap();
    let report = place.verify();
    let missing = |what: &What| matches!(what, What::MissingSegment(_));
    assert!(report.findings.iter().any(|finding| missing(&finding.what)), "{:?}", report.findings);
    assert!(place.open().is_err());
}

#[test]
fn dropping_where_the_log_says_nothing_of_it_is_found() {
    let place = Place::finished(100);
    fs::remove_file(place.file(&place.segments()[0])).unwrap();
    assert_eq!(place.verify().findings[0].what, What::MissingSegment(1));
    assert!(place.open().is_err());
}

#[test]
fn a_flip_of_any_byte_of_what_stays_beside_a_pruned_log_is_found_in_its_file() {
    let (place, _) = pruned();
    for name in place.files().into_iter().filter(|name| !name.starts_with("segment-")) {
        let bytes = fs::metadata(place.file(&name)).unwrap().len();
        // Some bytes of the tiles, and every byte of the rest.
        let step = if name.starts_with("tile/") { 131 } else { 1 };
        for offset in (0..bytes).step_by(step) {
            place.flip(&name, offset);
            let report = place.verify();
            assert!(!report.is_well(), "byte {offset} of {name}");
            place.flip(&name, offset);
        }
    }
    assert!(place.verify().is_well());
}

#[test]
fn a_pruned_log_without_its_first_record_is_refused() {
    let (place, _) = pruned();
    fs::remove_file(place.file("kept/0.json")).unwrap();
    assert!(!place.verify().is_well());
    assert!(place.open().is_err());
}

#[test]
fn a_checkpoint_from_before_what_was_dropped_is_held_against_the_tiles() {
    let (place, proof) = pruned();
    let judged = |note: &str| {
        let outside_checkpoint = Some(note.to_owned());
        place.verify_with(&VerifyOptions { outside_checkpoint, ..VerifyOptions::default() })
    };
    assert!(judged(&proof.checkpoint).is_well());
    // The same size of another log, under the same key.
    let other = Place::new();
    fs::copy(place.key_file(), other.key_file()).unwrap();
    append(&other.open().unwrap().0, 1);
    let forked = fs::read_to_string(other.outside()).unwrap();
    assert_eq!(forked.lines().nth(1), proof.checkpoint.lines().nth(1));
    let report = judged(&forked);
    assert!(
        report.findings.iter().any(|found| found.what == What::Forked),
        "{:?}",
        report.findings
    );
}
