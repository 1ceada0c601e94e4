//! A log from its beginning to its end, and what it refuses in between.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use place::{Place, append, event, until};
use sealgate_audit::{AppendError, AuditError, Event, Opened, Options, Started, VerifyOptions};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

#[test]
fn a_log_begins_with_its_format_origin_and_key() {
    let place = Place::new();
    let (log, opened) = place.open().unwrap();
    assert_eq!(opened, Opened::Fresh);
    let first = place.entries().remove(0).record().unwrap();
    let Event::LogStarted(started) = first.event else { unreachable!("{first:?}") };
    assert_eq!((started.format, started.origin.as_str()), (1, "example.org/audit"));
    assert_eq!(started.key.as_str(), log.verifier_key().to_string());
}

#[test]
fn records_are_numbered_in_the_order_they_stand() {
    let place = Place::finished(40);
    let numbers: Vec<_> = place.entries().iter().map(|e| e.record().unwrap().n).collect();
    assert_eq!(numbers, (0..41).collect::<Vec<_>>());
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let place = Place::finished(3);
    for round in 1..5 {
        let (log, opened) = place.open().unwrap();
        assert_eq!(opened, Opened::Whole);
        append(&log, 3);
        assert_eq!(log.close().unwrap().size, 4 + 3 * round);
        assert!(place.verify().is_well());
    }
}

#[test]
fn the_newest_time_outlives_the_process_and_a_clock_that_steps_back() {
    let place = Place::new();
    let now_us = Arc::new(AtomicU64::new(1_795_000_000_000_000));
    let open = || {
        let clock = Arc::clone(&now_us);
        place.open_at(Arc::new(move || clock.load(Ordering::Relaxed)))
    };
    let log = open();
    append(&log, 1);
    now_us.fetch_sub(60_000_000, Ordering::Relaxed);
    append(&log, 1);
    assert_eq!(log.newest_us(), 1_795_000_000_000_000);
    log.close().unwrap();
    assert_eq!(open().newest_us(), 1_795_000_000_000_000);
}

#[test]
fn opening_and_closing_alone_changes_nothing() {
    let place = Place::finished(3);
    let before = fs::read(place.last_file()).unwrap();
    place.open().unwrap().0.close().unwrap();
    assert_eq!(fs::read(place.last_file()).unwrap(), before);
}

#[test]
fn records_of_many_threads_are_all_there() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (log, sender) = (&log, sender.clone());
            scope.spawn(move || {
                for i in 0..500 {
                    let sender = sender.clone();
                    log.append(&event(&i.to_string()), move |result| {
                        sender.send(result.unwrap()).unwrap();
                    });
                }
            });
        }
    });
    drop(sender);
    let mut numbers: Vec<_> = receiver.iter().take(4000).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=4000).collect::<Vec<_>>());
    log.close().unwrap();
    let report = place.verify();
    assert!(report.is_well(), "{:?}", report.findings);
    assert_eq!(report.records, 4001);
}

#[test]
fn a_checkpoint_follows_while_there_are_new_records() {
    let place = Place::new();
    let mut options = place.options();
    options.checkpoint_every = Duration::from_millis(20);
    let (log, _) = place.open_with(options).unwrap();
    append(&log, 3);
    until("all records signed", || place.verify().unsigned_records == 0);
    append(&log, 1);
    until("the new record signed", || place.verify().unsigned_records == 0);
    assert!(place.verify().checkpoints >= 2);
}

#[test]
fn a_checkpoint_follows_when_many_records_wait_for_one() {
    let place = Place::new();
    let checkpoint_every = Duration::from_secs(3600);
    let options = Options { checkpoint_every, checkpoint_records: 50, ..place.options() };
    let (log, _) = place.open_with(options).unwrap();
    append(&log, 40);
    // Beside the first one, only what segments ended with.
    let before = place.verify();
    append(&log, 160);
    let after = place.verify();
    assert!(after.unsigned_records <= 50, "{}", after.unsigned_records);
    assert!(after.checkpoints >= before.checkpoints + 3);
}

#[test]
fn the_copy_of_the_last_checkpoint_is_that_of_the_log() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    append(&log, 3);
    assert!(!log.health().checkpoint_copy_failed);
    let last = log.close().unwrap();
    let note = fs::read_to_string(place.outside()).unwrap();
    assert!(note.starts_with(&format!("example.org/audit\n{}\n", last.size)));
    let outside_checkpoint = Some(note);
    let options = VerifyOptions { outside_checkpoint, ..VerifyOptions::default() };
    assert!(place.verify_with(&options).is_well());
}

#[test]
fn a_copy_that_cannot_be_written_is_told_and_stops_nothing() {
    let place = Place::new();
    let mut options = place.options();
    options.checkpoint_copy = Some(place.key_file().join("nowhere"));
    let (log, _) = place.open_with(options).unwrap();
    append(&log, 1);
    until("the failure told", || log.health().checkpoint_copy_failed);
    append(&log, 1);
}

#[test]
fn a_copy_whose_place_hangs_holds_nothing_up_and_is_told() {
    let place = Place::new();
    // Opening a pipe to write waits until somebody reads it: the copy's thread hangs there.
    let under_way = place.outside().with_file_name(".checkpoint.new");
    assert!(std::process::Command::new("mkfifo").arg(under_way).status().unwrap().success());
    let (log, _) = place.open().unwrap();
    append(&log, 3);
    until("the tree to be published", || {
        let note = fs::read_to_string(place.file("checkpoint")).unwrap_or_default();
        note.lines().nth(1) == Some("4")
    });
    until("the failure told", || log.health().checkpoint_copy_failed);
    append(&log, 1);
    assert_eq!(log.health().proofs_failure, None);
}

#[test]
fn copies_go_on_when_nothing_else_is_kept() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    append(&log, 1);
    // Tiles have no place any more.
    until("a file in the place of their folder", || {
        // One may be written meanwhile.
        let _ = fs::remove_dir_all(place.file("tile"));
        fs::write(place.file("tile"), b"").is_ok()
    });
    until("the keeper to give up", || {
        append(&log, 1);
        log.health().proofs_failure.is_some()
    });
    let size = || {
        let note = fs::read_to_string(place.outside()).unwrap_or_default();
        note.lines().nth(1).and_then(|size| size.parse::<u64>().ok()).unwrap_or_default()
    };
    let before = size();
    append(&log, 5);
    until("a later copy", || size() >= before + 5);
    assert!(!log.health().checkpoint_copy_failed);
}

#[test]
fn a_copy_inside_the_folder_is_refused() {
    let place = Place::finished(1);
    let mut options = place.options();
    options.checkpoint_copy = Some(place.audit().join("checkpoint"));
    assert!(matches!(place.open_with(options), Err(AuditError::CopyInside(_))));
}

#[test]
fn a_second_writer_is_refused() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    assert!(matches!(place.open(), Err(AuditError::Locked(_))));
    log.close().unwrap();
    place.open().unwrap();
}

#[test]
fn the_folder_and_its_files_are_for_the_owner_only() {
    let place = Place::finished(30);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.audit()), 0o700);
    for name in place.segments() {
        assert_eq!(mode(place.file(&name)), 0o600);
    }
}

#[test]
fn a_folder_open_to_others_is_refused() {
    let place = Place::finished(1);
    fs::set_permissions(place.audit(), fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(place.open(), Err(AuditError::NotPrivate { mode: 0o750, .. })));
}

/// Options whose disk has as many bytes free as the cell says.
fn with_disk(place: &Place, free: &Arc<AtomicU64>) -> Options {
    let free = Arc::clone(free);
    Options {
        low_water_bytes: 1 << 20,
        free_bytes: Arc::new(move |_| match free.load(Ordering::Relaxed) {
            BROKEN => Err(std::io::ErrorKind::ReadOnlyFilesystem.into()),
            bytes => Ok(bytes),
        }),
        ..place.options()
    }
}

const BROKEN: u64 = 1;

#[test]
fn below_the_low_water_mark_records_are_refused_until_there_is_room() {
    let (place, free) = (Place::new(), Arc::new(AtomicU64::new(1 << 30)));
    let (log, _) = place.open_with(with_disk(&place, &free)).unwrap();
    append(&log, 1);
    free.store(1000, Ordering::Relaxed);
    assert_eq!(log.append_and_wait(&event("x")), Err(AppendError::DiskLow));
    free.store(1 << 30, Ordering::Relaxed);
    assert_eq!(log.append_and_wait(&event("y")), Ok(2));
    log.close().unwrap();
    assert!(place.verify().is_well());
}

#[test]
fn below_the_low_water_mark_what_became_of_work_that_was_let_in_is_still_written() {
    let (place, free) = (Place::new(), Arc::new(AtomicU64::new(1 << 30)));
    let (log, _) = place.open_with(with_disk(&place, &free)).unwrap();
    append(&log, 1);
    free.store(1000, Ordering::Relaxed);
    let (sender, receiver) = mpsc::channel();
    log.append_quietly(&event("an outcome"), move |result| sender.send(result).unwrap());
    assert_eq!(log.append_and_wait(&event("new work")), Err(AppendError::DiskLow));
    assert_eq!(receiver.recv().unwrap(), Ok(2));
    log.close().unwrap();
    assert_eq!(place.entries().len(), 3);
    assert!(place.verify().is_well());
}

#[test]
fn no_segment_is_begun_that_would_pass_the_low_water_mark() {
    let (place, free) = (Place::new(), Arc::new(AtomicU64::new(1 << 30)));
    let (log, _) = place.open_with(with_disk(&place, &free)).unwrap();
    free.store((1 << 20) + 100, Ordering::Relaxed);
    let refused = (0..100).find_map(|_| log.append_and_wait(&event("x")).err());
    assert_eq!(refused, Some(AppendError::DiskLow));
    free.store(1 << 30, Ordering::Relaxed);
    append(&log, 30);
    log.close().unwrap();
    assert!(place.verify().is_well());
}

#[test]
fn a_log_is_not_opened_below_the_low_water_mark() {
    let (place, free) = (Place::new(), Arc::new(AtomicU64::new(1000)));
    let opened = place.open_with(with_disk(&place, &free));
    assert!(matches!(opened, Err(AuditError::DiskLow { free_bytes: 1000, .. })));
}

#[test]
fn after_an_error_of_the_disk_the_log_takes_nothing_more() {
    let (place, free) = (Place::new(), Arc::new(AtomicU64::new(1 << 30)));
    let (log, _) = place.open_with(with_disk(&place, &free)).unwrap();
    free.store(BROKEN, Ordering::Relaxed);
    assert_eq!(log.append_and_wait(&event("x")), Err(AppendError::Failed));
    free.store(1 << 30, Ordering::Relaxed);
    assert_eq!(log.append_and_wait(&event("y")), Err(AppendError::Failed));
    until("the cause told", || log.health().failure.is_some());
    assert!(matches!(log.close(), Err(AuditError::WriterFailed(_))));
}

#[test]
fn a_full_queue_refuses_at_once() {
    let place = Place::new();
    let mut options = place.options();
    options.queue_records = 1;
    let (log, _) = place.open_with(options).unwrap();
    let (held, release) = (Arc::new(std::sync::Barrier::new(2)), mpsc::channel::<()>());
    let barrier = Arc::clone(&held);
    log.append(&event("a"), move |_| {
        barrier.wait();
        let _ = release.1.recv();
    });
    held.wait();
    log.append(&event("b"), |_| {});
    let (sender, receiver) = mpsc::channel();
    log.append(&event("c"), move |result| sender.send(result).unwrap());
    assert_eq!(receiver.try_recv(), Ok(Err(AppendError::Busy)));
    drop(release.0);
}

#[test]
fn an_answer_that_panics_leaves_nobody_waiting() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    log.append(&event("a"), |_| std::panic::resume_unwind(Box::new(())));
    until("the log to fail", || log.append_and_wait(&event("b")) == Err(AppendError::Failed));
}

#[test]
fn a_log_that_is_dropped_ends_in_good_order() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    append(&log, 3);
    drop(log);
    assert_eq!(place.verify().unsigned_records, 0);
}

#[test]
fn a_record_longer_than_a_segment_gets_a_longer_one() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    let facts = (0..100).map(|i| (i.to_string().into(), "x".repeat(200).into()));
    let event = Event::Started(Started {
        config: facts.collect(),
        policy_digest: "00".into(),
        version: "1".into(),
    });
    log.append_and_wait(&event).unwrap();
    append(&log, 3);
    log.close().unwrap();
    assert!(place.verify().is_well());
    assert_eq!(place.segments().len(), 3);
    assert_eq!(place.entries()[1].record().unwrap().event, event);
}
