//! What a record costs: durable appends against the bare file system, and verification.
//!
//! `cargo bench -p sealgate-audit` prints, for 1, 16, 64 and 256 records that wait at a time, how
//! many become durable per second, beside as many bytes written and synced in one call by nothing
//! but the file system, in alternating rounds on the same disk. Then the log of
//! `RECORDS` records (default: 1,000,000) is verified on one core, and opened.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic and prints")]

#[path = "../tests/place/mod.rs"]
mod place;

use place::{Place, clock, decision};
use sealgate_audit::{CheckpointKey, Log, Options};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn main() {
    println!("durable appends, records per second (median of {ROUNDS} alternating rounds)");
    println!("{:>8} {:>12} {:>12} {:>8}", "waiting", "log", "bare file", "ratio");
    for waiting in [1, 16, 64, 256] {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        let disk = Bare::new();
        let (_place, log) = big_log();
        for _ in 0..ROUNDS {
            bare.push(rate(waiting, || disk.write(waiting)));
            ours.push(rate(waiting, || append(&log, waiting)));
        }
        let (ours, bare) = (median(ours), median(bare));
        println!("{waiting:>8} {ours:>12.0} {bare:>12.0} {:>8.2}", bare / ours);
    }
    verification();
}

/// A log with segments of the usual size.
fn big_log() -> (Place, Log) {
    let place = Place::new();
    let options = Options { segment_bytes: 16 << 20, ..place.options() };
    let key = CheckpointKey::load_or_create(&place.key_file()).unwrap();
    let log = Log::open(options, key, clock()).unwrap().0;
    (place, log)
}

/// Hands `waiting` records over and waits until all are durable.
fn append(log: &Log, waiting: usize) {
    let (sender, receiver) = mpsc::sync_channel(waiting);
    let event = decision(7, "dr-house");
    for _ in 0..waiting {
        let sender = sender.clone();
        log.append(&event, move |result| {
            let _ = sender.send(result);
        });
    }
    for _ in 0..waiting {
        receiver.recv().unwrap().unwrap();
    }
}

/// A file with room reserved, as a segment is, and records' bytes to put into it.
struct Bare {
    file: File,
    record: Vec<u8>,
    _place: Place,
}

impl Bare {
    fn new() -> Self {
        let place = Place::finished(1);
        let path = place.key_file().with_file_name("bare");
        let file = File::create_new(path).unwrap();
        nix::fcntl::posix_fallocate(&file, 0, BARE_BYTES).unwrap();
        file.sync_all().unwrap();
        let (one, log) = big_log();
        append(&log, 1);
        log.close().unwrap();
        // With its frame.
        let record = [&one.bodies()[1][..], &[0; 9]].concat();
        Self { file, record, _place: place }
    }

    fn write(&self, waiting: usize) {
        let bytes = self.record.repeat(waiting);
        self.file.write_all_at(&bytes, 512).unwrap();
        self.file.sync_data().unwrap();
    }
}

/// Records per second of calls that make `records` each, for a fixed time.
fn rate(records: usize, mut call: impl FnMut()) -> f64 {
    let begun = Instant::now();
    let mut calls = 0_u32;
    while begun.elapsed() < ROUND {
        call();
        calls += 1;
    }
    f64::from(calls) * records as f64 / begun.elapsed().as_secs_f64()
}

fn verification() {
    let records: usize = std::env::var("RECORDS").map_or(1_000_000, |count| count.parse().unwrap());
    let (place, log) = big_log();
    let begun = Instant::now();
    for _ in 0..records / 1000 {
        append(&log, 1000);
    }
    println!("\n{records} records written in {:.1} s", begun.elapsed().as_secs_f64());
    log.close().unwrap();
    for round in 0..3 {
        let begun = Instant::now();
        let report = place.verify();
        assert!(report.is_well(), "{:?}", report.findings);
        let seconds = begun.elapsed().as_secs_f64();
        let megabytes = report.bytes as f64 / 1e6;
        println!(
            "verify, round {round}: {:.2} million records/s, {:.0} MB/s",
            report.records as f64 / 1e6 / seconds,
            megabytes / seconds
        );
    }
    let begun = Instant::now();
    drop(place.open().unwrap());
    println!("open: {:.2} s", begun.elapsed().as_secs_f64());
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(300);
const BARE_BYTES: i64 = 16 << 20;
