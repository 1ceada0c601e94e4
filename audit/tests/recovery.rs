//! After a crash at any byte the log is recovered or refused, and what was confirmed is there.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use place::{Place, append, event, set_length};
use sealgate_audit::{
    AuditError, CheckpointKey, Event, Frontier, Log, Opened, Options, Signers, What,
};
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Opens a damaged copy and holds it to the whole log: its records are the first ones of that,
/// then only what the recovery says of itself, and it verifies after the next stop.
fn recovered_or_refused(whole: &Place, copy: &Place, what: &str) -> Option<Opened> {
    let before = whole.bodies();
    let (log, opened) = match copy.open() {
        Ok(open) => open,
        Err(AuditError::Damaged(_)) => return None,
        Err(error) => unreachable!("{what}: {error}"),
    };
    append(&log, 1);
    log.close().unwrap();
    let report = copy.verify();
    assert!(report.is_well(), "{what}: {:?}", report.findings);
    let mut after = copy.entries();
    after.pop();
    if matches!(opened, Opened::Recovered(_)) {
        let said = after.pop().unwrap().record().unwrap().event;
        assert!(matches!(said, Event::Recovered(_)), "{what}");
    }
    let last = after.last().map(|last| last.record().unwrap().event);
    if let Some(Event::Adopted(adopted)) = last {
        after.pop();
        assert_eq!(adopted.first_record + adopted.records, after.len() as u64, "{what}");
    }
    for (before, after) in before.iter().zip(&after) {
        let begun_anew = after.record().unwrap().n == 0;
        assert!(begun_anew || *before == after.body, "{what}: a record differs");
    }
    Some(opened)
}

/// Every offset in the last three frames of the last file, and around the ends of its header.
fn offsets(whole: &Place) -> impl Iterator<Item = u64> {
    let frames = whole.frames(whole.segments().last().unwrap());
    let (from, _) = frames[frames.len().saturating_sub(3)];
    let (_, to) = *frames.last().unwrap();
    (0..16).chain(500..520).chain(from.max(520) as u64..to as u64)
}

#[test]
fn a_log_cut_at_any_offset_is_recovered_or_refused() {
    let whole = Place::finished(30);
    for offset in offsets(&whole) {
        let copy = whole.copy();
        set_length(&copy.last_file(), offset);
        recovered_or_refused(&whole, &copy, &format!("cut at {offset}"));
    }
}

#[test]
fn a_log_whose_end_became_zeros_is_recovered_or_refused() {
    let whole = Place::finished(30);
    for offset in offsets(&whole) {
        let copy = whole.copy();
        set_length(&copy.last_file(), offset);
        set_length(&copy.last_file(), 4096);
        recovered_or_refused(&whole, &copy, &format!("zeros from {offset}"));
    }
}

#[test]
fn a_flip_at_the_end_is_recovered_or_refused() {
    let whole = Place::finished(30);
    let last = whole.segments().pop().unwrap();
    for offset in offsets(&whole) {
        let copy = whole.copy();
        copy.flip(&last, offset);
        recovered_or_refused(&whole, &copy, &format!("flip at {offset}"));
    }
}

#[test]
fn a_flip_below_a_checkpoint_is_refused() {
    let whole = Place::finished(3);
    let name = whole.segments().pop().unwrap();
    let frames = whole.frames(&name);
    let (start, _) = *frames.last().unwrap();
    for offset in 512..start as u64 {
        let copy = whole.copy();
        copy.flip(&name, offset);
        let opened = copy.open().map(|(_, opened)| opened);
        assert!(matches!(opened, Err(AuditError::Damaged(_))), "{offset}: {opened:?}");
    }
}

#[test]
fn a_flip_before_a_good_record_that_nothing_signed_covers_is_refused() {
    let whole = Place::killed(6);
    let name = whole.segments().pop().unwrap();
    let frames = whole.frames(&name);
    let [.., (start, end), _] = frames.as_slice() else { unreachable!() };
    for offset in *start..*end {
        let copy = whole.copy();
        copy.flip(&name, offset as u64);
        let opened = copy.open().map(|(_, opened)| opened);
        assert!(matches!(opened, Err(AuditError::Damaged(_))), "{offset}: {opened:?}");
    }
}

#[test]
fn a_log_that_was_killed_between_writes_is_whole() {
    let place = Place::killed(6);
    assert!(place.verify().is_well());
    let (_, opened) = place.open().unwrap();
    assert_eq!(opened, Opened::Whole);
}

#[test]
fn records_that_nobody_signed_are_taken_over_and_the_log_says_which() {
    let place = Place::killed(6);
    let before = place.verify();
    assert!(before.unsigned_records > 0);
    let first = before.checkpoint.unwrap().size;
    let found = place.bodies();
    place.open().unwrap().0.close().unwrap();
    let mut entries = place.entries();
    let Event::Adopted(adopted) = entries.pop().unwrap().record().unwrap().event else {
        unreachable!("{entries:?}")
    };
    assert_eq!((adopted.first_record, adopted.records), (first, before.unsigned_records));
    let mut tree = Frontier::default();
    for body in &found {
        tree.push(body);
    }
    assert_eq!(adopted.root.as_str(), hex::encode(tree.root()));
    // From now on they are signed, and nothing is left to say.
    let records = place.verify().records;
    place.open().unwrap().0.close().unwrap();
    assert_eq!(place.verify().records, records);
}

/// Whether each frame of a segment is a record, and whether it is `adopted`.
fn leaves(place: &Place, name: &str) -> Vec<(bool, bool)> {
    let bytes = fs::read(place.file(name)).unwrap();
    let of = |(from, to): (usize, usize)| {
        let is_adopted = bytes[from..to].windows(9).any(|word| word == b"\"adopted\"");
        (bytes[from + 8] == 1, is_adopted)
    };
    place.frames(name).into_iter().map(of).collect()
}

/// A log's first record, its checkpoint, six records that nobody signed, and what must follow.
#[track_caller]
fn is_said_first(place: &Place, name: &str) {
    assert_eq!(leaves(place, name).get(8), Some(&(true, true)), "nothing is signed before");
    let report = place.verify();
    assert!(report.is_well(), "{:?}", report.findings);
}

#[test]
fn what_nobody_signed_is_said_before_it_is_signed() {
    let place = Place::killed(6);
    place.open().unwrap().0.close().unwrap();
    is_said_first(&place, "segment-00000001.log");
}

#[test]
fn what_nobody_signed_is_said_before_the_key_changes() {
    let place = Place::killed(6);
    let (one, two) = (place.key_file(), place.key_file().with_extension("two"));
    CheckpointKey::create(&two).unwrap();
    let [key, previous] = [&two, &one].map(|file| CheckpointKey::load(file).unwrap());
    let signers = Signers { key, previous: Some(previous) };
    Log::open(place.options(), signers, place::clock()).unwrap().0.close().unwrap();
    is_said_first(&place, "segment-00000001.log");
}

#[test]
fn what_nobody_signed_is_said_in_its_own_segment_however_full_that_is() {
    let whole = Place::killed(6);
    let name = whole.segments().pop().unwrap();
    let (_, end) = *whole.frames(&name).last().unwrap();
    for spare in (0..9 << 10).step_by(97) {
        let place = whole.copy();
        let options = Options { segment_bytes: (end + spare) as u64, ..place.options() };
        place.open_with(options).unwrap().0.close().unwrap();
        is_said_first(&place, &name);
    }
}

#[test]
fn what_nobody_signed_is_said_also_when_the_disk_fills_up_at_the_start() {
    let place = Place::killed(6);
    let asked = AtomicU64::new(0);
    let free_bytes = move |_: &Path| Ok(u64::from(asked.fetch_add(1, Ordering::Relaxed) == 0));
    let free_bytes = Arc::new(free_bytes);
    let options = Options { low_water_bytes: 1, free_bytes, ..place.options() };
    place.open_with(options).unwrap().0.close().unwrap();
    is_said_first(&place, "segment-00000001.log");
}

#[test]
fn a_start_that_ends_before_it_signs_is_made_up_for_by_the_next() {
    // Of a log whose first record alone was written, and of one with more.
    for count in [None, Some(6)] {
        let place = match count {
            Some(count) => Place::killed(count),
            None => Place::finished(0),
        };
        let name = place.segments().pop().unwrap();
        if count.is_none() {
            let (_, end) = place.frames(&name)[0];
            set_length(&place.file(&name), end as u64);
            fs::remove_file(place.file("checkpoint")).unwrap();
            fs::remove_file(place.outside()).unwrap();
        }
        let found = place.frames(&name).len();
        let before = place.verify().unsigned_records;
        place.open().unwrap().0.close().unwrap();
        let (_, end) = place.frames(&name)[found];
        // What stands behind `adopted` never got there.
        set_length(&place.file(&name), end as u64);
        fs::remove_file(place.file("checkpoint")).unwrap();
        fs::remove_file(place.outside()).unwrap();
        assert_eq!(place.verify().unsigned_records, before + 1);
        place.open().unwrap().0.close().unwrap();
        assert!(place.verify().is_well());
        let last = place.entries().pop().unwrap().record().unwrap().event;
        let Event::Adopted(adopted) = last else { unreachable!("{last:?}") };
        assert_eq!(adopted.records, before + 1);
    }
}

#[test]
fn after_a_power_failure_what_follows_from_a_log_may_be_cut_short_until_the_next_start() {
    let whole = Place::finished(300);
    // As it lies when it was not ended: the room behind its end was not given back.
    let unclean = |place: &Place| set_length(&place.last_file(), 16 << 10);
    let derived = |place: &Place| {
        let files = place.files().into_iter();
        let follows = |name: &String| !name.starts_with("segment-") && !name.starts_with("kept/");
        files.filter(follows).collect::<Vec<_>>()
    };
    for name in derived(&whole) {
        let bytes = fs::read(whole.file(&name)).unwrap();
        let lengths = [0, 1, bytes.len() / 2, bytes.len().saturating_sub(1)];
        // The ids of a segment without decisions are nothing at all.
        for length in lengths.into_iter().filter(|length| *length < bytes.len()) {
            let place = whole.copy();
            set_length(&place.file(&name), length as u64);
            let report = place.verify();
            let found = report.findings.iter().any(|finding| finding.file == name);
            // Partial tiles of trees before the last one are needed by nobody.
            assert!(found || name.contains(".p/"), "{name} cut to {length} in a log that ended");
            unclean(&place);
            let report = place.verify();
            assert!(report.is_well(), "{name} cut to {length}: {:?}", report.findings);
            place.open().unwrap().0.close().unwrap();
            assert!(place.verify().is_well(), "{name} made again");
        }
        if bytes.is_empty() {
            continue;
        }
        // Anything else is still found.
        let place = whole.copy();
        unclean(&place);
        place.flip(&name, 0);
        let report = place.verify();
        assert!(report.findings.iter().any(|finding| finding.file == name), "{name} flipped");
    }
}

#[test]
fn a_torn_tail_is_cut_and_the_log_says_so() {
    let place = Place::killed(6);
    let name = place.segments().pop().unwrap();
    let (_, end) = *place.frames(&name).last().unwrap();
    let file = fs::OpenOptions::new().write(true).open(place.last_file()).unwrap();
    file.write_all_at(&[9, 1, 0, 0, 5, 5, 5], end as u64).unwrap();
    let torn = What::TornTail { bytes: 7 };
    assert_eq!(place.verify().findings.iter().map(|f| &f.what).collect::<Vec<_>>(), [&torn]);
    let (_, opened) = place.open().unwrap();
    let Opened::Recovered(recovered) = opened else { unreachable!("{opened:?}") };
    assert_eq!((recovered.cut_bytes, recovered.offset), (7, end as u64));
    assert!(place.verify().is_well());
    let last = place.entries().pop().unwrap().record().unwrap();
    assert_eq!(last.event, Event::Recovered(recovered));
}

#[test]
fn a_write_that_lost_a_page_in_its_middle_is_a_torn_tail() {
    let place = Place::new();
    let mut options = place.options();
    options.segment_bytes = 64 * 1024;
    // A checkpoint behind the lost page would make it damage.
    options.checkpoint_every = Duration::from_secs(3600);
    let (log, _) = place.open_with(options.clone()).unwrap();
    append(&log, 60);
    let copy = place.copy();
    log.close().unwrap();
    let name = copy.segments().pop().unwrap();
    let file = fs::OpenOptions::new().write(true).open(copy.last_file()).unwrap();
    file.write_all_at(&[0; 4096], 4096).unwrap();
    assert!(copy.frames(&name).len() < 30);
    options.dir = copy.audit();
    options.checkpoint_copy = None;
    let (_, opened) = copy.open_with(options).unwrap();
    assert!(matches!(opened, Opened::Recovered(_)), "{opened:?}");
}

#[test]
fn verifying_cuts_nothing() {
    let place = Place::killed(6);
    let name = place.segments().pop().unwrap();
    let (start, _) = *place.frames(&name).last().unwrap();
    place.flip(&name, start as u64 + 10);
    let before = fs::read(place.last_file()).unwrap();
    assert!(!place.verify().is_well());
    assert_eq!(fs::read(place.last_file()).unwrap(), before);
}

#[test]
fn a_new_segment_without_its_header_is_recovered() {
    let place = Place::finished(30);
    let next = format!("segment-{:08}.log", place.segments().len() + 1);
    fs::write(place.file(&next), [0; 700]).unwrap();
    let records = place.bodies();
    let (log, _) = place.open().unwrap();
    log.append_and_wait(&event("x")).unwrap();
    log.close().unwrap();
    assert!(place.verify().is_well());
    assert_eq!(place.bodies()[..records.len()], records);
}

#[test]
fn files_that_a_crash_left_on_their_way_are_swept() {
    let place = Place::finished(30);
    let left = [
        ".checkpoint.new",
        "tile/0/.000.new",
        "tile/0/000.p/.7.new",
        "ids/.00000002.new",
        "kept/.0.json.new",
    ];
    for name in left {
        fs::write(place.file(name), b"half").unwrap();
        // A log that ended in good order has none.
        let found = place.verify().findings.into_iter().map(|finding| finding.file);
        assert_eq!(found.collect::<Vec<_>>(), [name]);
        place.open().unwrap().0.close().unwrap();
        assert!(!place.file(name).exists(), "{name}");
        assert!(place.verify().is_well());
    }
}

#[test]
fn what_follows_from_a_log_is_made_again_when_it_is_lost_or_wrong() {
    let place = Place::finished(300);
    let files = |place: &Place| {
        let names = place.files().into_iter().filter(|name| !name.starts_with("segment-"));
        // Partial tiles of trees before the last one are needed by nobody.
        names.filter(|name| !name.contains(".p/")).collect::<Vec<_>>()
    };
    let whole = files(&place);
    for change in [0, 1] {
        for name in &whole {
            match change {
                0 => fs::remove_file(place.file(name)).unwrap(),
                _ => fs::write(place.file(name), b"x").unwrap(),
            }
        }
        assert!(!place.verify().is_well());
        place.open().unwrap().0.close().unwrap();
        assert_eq!(files(&place), whole);
        let report = place.verify();
        assert!(report.is_well(), "{:?}", report.findings);
    }
}
