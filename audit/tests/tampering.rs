//! Whoever changes a log is found. For the most part they are assumed to fix checksums too.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use place::{Place, append, decision, event, set_length, until};
use sealgate_audit::{AuditError, Event, Opened, Origin, Report, VerifyOptions, What, verify};
use std::fs;

const FIRST: &str = "segment-00000001.log";
const SECOND: &str = "segment-00000002.log";

#[track_caller]
fn found(report: &Report, what: impl Fn(&What) -> bool) {
    assert!(report.findings.iter().any(|finding| what(&finding.what)), "{:?}", report.findings);
}

fn flips_are_found(place: &Place) {
    for name in place.files() {
        for offset in 0..fs::metadata(place.file(&name)).unwrap().len() {
            place.flip(&name, offset);
            let report = place.verify();
            let named = report.findings.iter().any(|f| f.file == name && f.offset <= offset);
            assert!(named, "byte {offset} of {name}: {:?}", report.findings);
            place.flip(&name, offset);
        }
    }
    assert!(place.verify().is_well());
}

#[test]
fn an_untouched_log_is_well() {
    let place = Place::finished(40);
    let report = place.verify();
    assert!(report.is_well(), "{:?}", report.findings);
    assert_eq!((report.records, report.unsigned_records), (41, 0));
    assert!(place.files().len() > 2);
}

#[test]
fn a_flip_of_any_byte_of_a_finished_log_is_found_in_its_file() {
    flips_are_found(&Place::finished(25));
}

#[test]
fn a_flip_of_any_byte_of_a_log_that_was_killed_is_found_in_its_file() {
    flips_are_found(&Place::killed(25));
}

#[test]
fn a_record_changed_with_its_checksum_is_found() {
    let place = Place::finished(5);
    place.rearrange(FIRST, |frames| {
        let frame = frames.iter_mut().find(|f| f.windows(3).any(|w| w == b"\"3\"")).unwrap();
        let at = frame.windows(3).position(|w| w == b"\"3\"").unwrap();
        frame[at + 1] = b'9';
        let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..]);
        frame[4..8].copy_from_slice(&crc.to_le_bytes());
    });
    found(&place.verify(), |what| matches!(what, What::Root { .. }));
}

#[test]
fn records_that_cannot_be_read_are_not_said_to_be_dropped() {
    let place = Place::finished(5);
    let (start, _) = place.frames(FIRST)[2];
    place.flip(FIRST, start as u64 + 20);
    let report = place.verify();
    found(&report, |what| *what == What::Checksum);
    assert_eq!((report.first_record, report.records), (0, 5));
}

#[test]
fn what_is_wrong_with_one_record_is_said_once() {
    let place = Place::new();
    let log = place.open().unwrap().0;
    for n in 0..40 {
        log.append_and_wait(&decision(n, "dr-house")).unwrap();
    }
    log.close().unwrap();
    let (start, _) = place.frames(SECOND)[1];
    place.flip(SECOND, start as u64 + 20);
    let report = place.verify();
    let found: Vec<_> = report.findings.iter().map(|finding| &finding.what).collect();
    assert_eq!(found, [&What::Checksum]);
    assert!(place.segments().len() > 4);
}

#[test]
fn two_records_swapped_are_found() {
    let place = Place::finished(5);
    place.rearrange(FIRST, |frames| {
        let last = frames.len() - 1;
        frames.swap(last - 2, last - 1);
    });
    found(&place.verify(), |what| matches!(what, What::Number(_)));
}

#[test]
fn a_record_repeated_is_found() {
    let place = Place::finished(5);
    place.rearrange(FIRST, |frames| frames.insert(3, frames[3].clone()));
    found(&place.verify(), |what| matches!(what, What::Number(_)));
}

#[test]
fn a_record_left_out_is_found() {
    let place = Place::finished(5);
    place.rearrange(FIRST, |frames| {
        frames.remove(3);
    });
    found(&place.verify(), |what| matches!(what, What::Number(_)));
}

#[test]
fn a_checkpoint_repeated_is_found() {
    let place = Place::finished(5);
    place.rearrange(FIRST, |frames| frames.push(frames.last().unwrap().clone()));
    found(&place.verify(), |what| matches!(what, What::CheckpointSize(_)));
}

#[test]
fn a_segment_left_out_is_found() {
    let place = Place::finished(40);
    fs::remove_file(place.file(SECOND)).unwrap();
    found(&place.verify(), |what| *what == What::MissingSegment(2));
}

#[test]
fn the_first_segment_left_out_is_found() {
    let place = Place::finished(40);
    fs::remove_file(place.file(FIRST)).unwrap();
    found(&place.verify(), |what| *what == What::MissingSegment(1));
}

#[test]
fn two_segments_swapped_are_found() {
    let place = Place::finished(40);
    fs::rename(place.file(FIRST), place.file("x")).unwrap();
    fs::rename(place.file(SECOND), place.file(FIRST)).unwrap();
    fs::rename(place.file("x"), place.file(SECOND)).unwrap();
    found(&place.verify(), |what| *what == What::Discontinued("sequence number"));
}

#[test]
fn a_segment_of_another_log_is_found() {
    let (place, other) = (Place::finished(40), Place::finished(40));
    fs::copy(other.file(SECOND), place.file(SECOND)).unwrap();
    found(&place.verify(), |what| *what == What::Discontinued("root"));
}

#[test]
fn a_full_segment_cut_before_its_checkpoint_is_found() {
    let place = Place::finished(40);
    let (start, _) = *place.frames(FIRST).last().unwrap();
    set_length(&place.file(FIRST), start as u64);
    found(&place.verify(), |what| *what == What::OpenEnd);
}

#[test]
fn a_file_that_is_not_the_logs_own_is_found() {
    let place = Place::finished(5);
    fs::write(place.file("notes.txt"), "hello").unwrap();
    found(&place.verify(), |what| *what == What::ForeignFile);
}

#[test]
fn a_link_in_place_of_a_segment_is_found() {
    let place = Place::finished(5);
    let moved = place.key_file().with_extension("moved");
    fs::rename(place.file(FIRST), &moved).unwrap();
    std::os::unix::fs::symlink(&moved, place.file(FIRST)).unwrap();
    let result = verify(&place.audit(), &VerifyOptions::default(), &mut |_, _| {});
    assert!(matches!(result, Err(AuditError::NoLog(_))));
}

#[test]
fn the_pinned_key_is_said_to_be_pinned() {
    let place = Place::finished(5);
    let options = VerifyOptions { pinned_key: place.verify().key, ..VerifyOptions::default() };
    let report = place.verify_with(&options);
    assert!(report.is_well() && report.key_is_pinned);
}

#[test]
fn a_log_signed_by_another_key_than_the_pinned_one_is_found() {
    let (place, other) = (Place::finished(5), Place::finished(5));
    let options = VerifyOptions { pinned_key: other.verify().key, ..VerifyOptions::default() };
    found(&place.verify_with(&options), |what| matches!(what, What::OtherKey(_)));
}

#[test]
fn without_a_pinned_key_the_logs_own_is_used_and_that_is_said() {
    let report = Place::finished(5).verify();
    assert!(report.key.is_some() && !report.key_is_pinned);
}

#[test]
fn a_log_cut_at_its_end_is_found_by_the_checkpoint_it_has_published() {
    let place = Place::finished(40);
    fs::remove_file(place.last_file()).unwrap();
    found(&place.verify(), |what| *what == What::RolledBack(41));
    let refused = place.open().err().unwrap();
    assert!(matches!(refused, AuditError::Damaged(finding) if finding.file == "checkpoint"));
}

#[test]
fn a_log_put_back_as_it_was_once_is_found_by_a_checkpoint_kept_elsewhere_alone() {
    let place = Place::finished(20);
    let once = place.copy();
    append(&place.open().unwrap().0, 20);
    let outside_checkpoint = Some(fs::read_to_string(place.outside()).unwrap());
    let options = VerifyOptions { outside_checkpoint, ..VerifyOptions::default() };
    assert!(place.verify_with(&options).is_well());
    assert!(once.verify().is_well());
    found(&once.verify_with(&options), |what| *what == What::RolledBack(41));
}

#[test]
fn a_log_rewritten_with_its_own_key_is_found_by_a_checkpoint_kept_elsewhere() {
    let place = Place::finished(5);
    let outside_checkpoint = Some(fs::read_to_string(place.outside()).unwrap());
    let options = VerifyOptions { outside_checkpoint, ..VerifyOptions::default() };
    fs::remove_dir_all(place.audit()).unwrap();
    fs::remove_file(place.outside()).unwrap();
    let (log, _) = place.open().unwrap();
    append(&log, 5);
    log.close().unwrap();
    assert!(place.verify().is_well());
    found(&place.verify_with(&options), |what| *what == What::Forked);
}

#[test]
fn a_log_can_be_verified_while_it_is_written() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    append(&log, 1);
                }
            });
        }
        for _ in 0..100 {
            let report = place.verify();
            if !report.is_well() || !report.live {
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            assert!(report.live && report.is_well(), "{:?}", report.findings);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    log.close().unwrap();
    assert!(!place.verify().live);
}

#[test]
fn a_flip_in_a_live_log_is_found() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    append(&log, 3);
    until("a checkpoint", || place.verify().checkpoint.is_some());
    let (start, _) = place.frames(FIRST)[0];
    place.flip(FIRST, start as u64 + 20);
    let report = place.verify();
    assert!(report.live);
    found(&report, |what| *what == What::Checksum);
    log.append_and_wait(&event("x")).unwrap();
}

#[test]
fn a_log_begun_with_another_key_is_not_gone_on_with() {
    let place = Place::finished(5);
    fs::remove_file(place.key_file()).unwrap();
    assert!(matches!(place.open(), Err(AuditError::OtherKey { .. })));
}

#[test]
fn a_log_of_another_origin_is_not_gone_on_with() {
    let place = Place::finished(5);
    let mut options = place.options();
    options.origin = Origin::new("other.example/audit").unwrap();
    assert!(matches!(place.open_with(options), Err(AuditError::OtherKey { .. })));
}

#[test]
fn a_damaged_segment_is_not_gone_on_after() {
    let place = Place::finished(40);
    let (start, end) = place.frames(FIRST)[1];
    for offset in (0..512).step_by(16).chain(start..end) {
        let copy = place.copy();
        copy.flip(FIRST, offset as u64);
        let opened = copy.open().map(|(_, opened)| opened);
        assert!(matches!(opened, Err(AuditError::Damaged(_))), "{offset}: {opened:?}");
    }
}

/// Appends a record to the last segment with its checksum right, as anybody can who writes the folder.
fn forge(place: &Place, event: serde_json::Value, kind: &str) {
    let n = place.entries().len() as u64 + place.verify().first_record;
    let boot = "0".repeat(32);
    let body = format!(
        r#"{{"boot":"{boot}","event":{event},"n":{n},"salt":"{boot}","time_us":1795000000000000,"type":"{kind}"}}"#
    );
    let rest = [&[1], body.as_bytes()].concat();
    let length = (rest.len() as u32).to_le_bytes();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&length), &rest).to_le_bytes();
    let name = place.segments().pop().unwrap();
    let mut bytes = fs::read(place.file(&name)).unwrap();
    bytes.extend([&length[..], &crc, &rest].concat());
    fs::write(place.file(&name), bytes).unwrap();
}

#[test]
fn a_record_that_nobody_signed_drops_nothing() {
    let place = Place::finished(60);
    let dropped = serde_json::json!({"first_record": 40, "first_segment": 3, "why": "age"});
    forge(&place, dropped, "segments_dropped");
    let forged = place.copy();
    for name in &place.segments()[..2] {
        fs::remove_file(forged.file(name)).unwrap();
    }
    found(&forged.verify(), |what| matches!(what, What::MissingSegment(_)));
    assert!(forged.open().is_err());
    // A gateway that finds it drops nothing either, nor does one that finds it signed by then.
    let before = place.segments();
    for _ in 0..3 {
        place.open().unwrap().0.close().unwrap();
        assert_eq!(place.segments(), before);
        let report = place.verify();
        assert!(report.is_well(), "{:?}", report.findings);
        assert_eq!((report.first_record, report.unsigned_records), (0, 0));
    }
    let kinds = place.entries().into_iter().map(|entry| entry.record().unwrap().event);
    let kinds: Vec<_> = kinds.skip(61).collect();
    assert!(matches!(kinds[..], [Event::SegmentsDropped(_), Event::Adopted(_)]), "{kinds:?}");
    // Nor may whoever removes them now say that the log did.
    fs::remove_file(place.file(FIRST)).unwrap();
    found(&place.verify(), |what| matches!(what, What::MissingSegment(_)));
    let beyond = serde_json::json!({"first_record": 9, "first_segment": u32::MAX, "why": "age"});
    let other = Place::finished(20);
    forge(&other, beyond, "segments_dropped");
    assert!(!other.verify().is_well());
    assert!(other.open().is_err());
}

#[test]
fn a_log_of_many_records_that_nobody_signed_is_found_and_never_signed() {
    let place = Place::finished(0);
    let segment = place.last_file();
    let bytes = fs::read(&segment).unwrap();
    // The first record alone, as anybody can write it who knows the log's public key.
    let (from, to) = place.frames(FIRST)[0];
    fs::write(&segment, [&bytes[..512], &bytes[from..to]].concat()).unwrap();
    for name in place.files().into_iter().filter(|name| !name.starts_with("segment-")) {
        fs::remove_file(place.file(&name)).unwrap();
    }
    fs::remove_file(place.outside()).unwrap();
    forge(&place, serde_json::json!({"why": "forged"}), "stopped");
    found(&place.verify(), |what| *what == What::NoCheckpoint);
    assert!(matches!(place.open(), Err(AuditError::Damaged(_))));
}

#[test]
fn a_log_put_back_as_it_was_once_does_not_start_where_the_copy_of_its_checkpoint_knows_better() {
    let place = Place::finished(20);
    let once = place.copy();
    append(&place.open().unwrap().0, 20);
    let copy = fs::read(place.outside()).unwrap();
    fs::write(once.outside(), &copy).unwrap();
    let refused = once.open().err().unwrap();
    assert!(
        matches!(refused, AuditError::Damaged(finding) if finding.what == What::RolledBack(41))
    );
    assert_eq!(fs::read(once.outside()).unwrap(), copy, "the evidence is kept");
}

#[test]
fn a_log_that_is_gone_is_not_begun_anew_over_the_copy_of_its_checkpoint() {
    let gone: [fn(&Place); 4] = [
        |place| fs::remove_dir_all(place.audit()).unwrap(),
        |place| place.files().iter().for_each(|name| fs::remove_file(place.file(name)).unwrap()),
        // As a crash leaves a log that was just begun.
        |place| {
            place.files().iter().for_each(|name| fs::remove_file(place.file(name)).unwrap());
            fs::write(place.file(FIRST), [0; 4096]).unwrap();
        },
        // With the key that could judge the copy.
        |place| {
            fs::remove_dir_all(place.audit()).unwrap();
            fs::remove_file(place.key_file()).unwrap();
        },
    ];
    for (n, remove) in gone.into_iter().enumerate() {
        let place = Place::finished(20);
        let copy = fs::read(place.outside()).unwrap();
        remove(&place);
        let refused = place.open().err().unwrap();
        let AuditError::Gone { records, .. } = &refused else { unreachable!("{n}: {refused}") };
        assert_eq!(*records, 21);
        assert!(refused.to_string().contains("move it away"), "{refused}");
        assert_eq!(fs::read(place.outside()).unwrap(), copy, "the evidence is kept");
        // Whoever moves it away wants a new log.
        fs::rename(place.outside(), place.outside().with_extension("away")).unwrap();
        assert_eq!(place.open().unwrap().1, Opened::Fresh);
    }
}

#[test]
fn a_log_without_its_segments_is_not_begun_anew_over_the_checkpoint_it_has_published() {
    let place = Place::finished(20);
    place.segments().iter().for_each(|name| fs::remove_file(place.file(name)).unwrap());
    fs::remove_file(place.outside()).unwrap();
    let refused = place.open().err().unwrap();
    assert!(
        matches!(&refused, AuditError::Damaged(finding) if finding.what == What::RolledBack(21)),
        "{refused}"
    );
}

#[test]
fn a_pipe_and_a_file_without_end_in_the_place_of_a_note_hold_nobody_up() {
    let place = Place::finished(5);
    let note = place.file("checkpoint");
    for sparse in [false, true] {
        fs::remove_file(&note).unwrap();
        if sparse {
            set_length_of_new(&note, 1 << 40);
        } else {
            let made = std::process::Command::new("mkfifo").arg(&note).status().unwrap();
            assert!(made.success());
        }
        found(&place.verify(), |what| matches!(what, What::Published | What::ForeignFile));
    }
}

fn set_length_of_new(path: &std::path::Path, length: u64) {
    fs::File::create_new(path).unwrap().set_len(length).unwrap();
}
