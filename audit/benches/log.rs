//! What a record costs: durable appends against the bare file system, and verification.
//!
//! `cargo bench -p sealgate-audit --bench log` prints, for 1, 16, 64 and 256 records that wait at a
//! time, how many become durable per second, made by one thread and by as many as there are cores, beside
//! as many bytes written and synced in one call by nothing but the file system, in alternating rounds on
//! the same disk. Then what making a record costs without a disk, and the log of `RECORDS` records
//! (default: 1,000,000) is verified on one core, and opened.

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
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let of_cores = format!("{cores} threads");
    println!(
        "{:>8} {:>12} {:>12} {of_cores:>12} {:>8} {:>8}",
        "waiting", "bare file", "1 thread", "ratio", "ratio"
    );
    let record = record();
    for waiting in [1, 16, 64, 256] {
        let (mut one, mut many, mut bare) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare.push(write(&record.repeat(waiting)) * waiting as f64);
            one.push(append(waiting, 1));
            many.push(append(waiting, cores.min(waiting)));
        }
        let [one, many, bare] = [one, many, bare].map(median);
        println!(
            "{waiting:>8} {bare:>12.0} {one:>12.0} {many:>12.0} {:>8.2} {:>8.2}",
            bare / one,
            bare / many
        );
    }
    println!("\nappended by one thread that waits for nothing: {:.2} us a record", made());
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

/// Records per second of a log of which `waiting` are always under way, made by so many threads, for
/// one round.
fn append(waiting: usize, threads: usize) -> f64 {
    let (_place, log) = big_log();
    std::thread::scope(|scope| {
        let each = || keep_under_way(&log, waiting / threads);
        let rates: Vec<_> = (0..threads).map(|_| scope.spawn(each)).collect();
        rates.into_iter().map(|rate| rate.join().unwrap()).sum()
    })
}

fn keep_under_way(log: &Log, waiting: usize) -> f64 {
    let (sender, receiver) = mpsc::sync_channel(waiting);
    let event = decision(7, "dr-house");
    let put = || {
        let sender = sender.clone();
        log.append(&event, move |result| {
            let _ = sender.send(result.is_ok());
        });
    };
    (0..waiting).for_each(|_| put());
    let (begun, mut done) = (Instant::now(), 0_u32);
    while begun.elapsed() < ROUND {
        assert!(receiver.recv().unwrap());
        done += 1;
        put();
    }
    f64::from(done) / begun.elapsed().as_secs_f64()
}

/// Microseconds that a thread needs for a record that nobody waits for, while the log's own thread
/// writes it.
fn made() -> f64 {
    let (_place, log) = big_log();
    let event = decision(7, "dr-house");
    let count = 100_000;
    let mut spent = Duration::ZERO;
    for _ in 0..count / 1_000 {
        let begun = Instant::now();
        (0..1_000).for_each(|_| log.append_quietly(&event, |_| {}));
        spent += begun.elapsed();
        log.append_and_wait(&event).unwrap();
    }
    spent.as_secs_f64() * 1e6 / f64::from(count)
}

/// One record as a segment has it, with its frame.
fn record() -> Vec<u8> {
    let (place, log) = big_log();
    log.append_and_wait(&decision(7, "dr-house")).unwrap();
    log.close().unwrap();
    [&place.bodies()[1][..], &[0; 9]].concat()
}

/// How often per second the file system alone writes and syncs `batch`, one behind the other, in a
/// file with room reserved as a segment has it.
fn write(batch: &[u8]) -> f64 {
    let place = Place::finished(0);
    let file = File::create_new(place.key_file().with_file_name("bare")).unwrap();
    nix::fcntl::posix_fallocate(&file, 0, BARE_BYTES).unwrap();
    file.sync_all().unwrap();
    let (begun, mut at, mut writes) = (Instant::now(), 0, 0_u32);
    while begun.elapsed() < ROUND && at + (batch.len() as u64) < BARE_BYTES as u64 {
        file.write_all_at(batch, at).unwrap();
        file.sync_data().unwrap();
        at += batch.len() as u64;
        writes += 1;
    }
    f64::from(writes) / begun.elapsed().as_secs_f64()
}

fn verification() {
    let records: usize = std::env::var("RECORDS").map_or(1_000_000, |count| count.parse().unwrap());
    let (place, log) = big_log();
    let begun = Instant::now();
    let event = decision(7, "dr-house");
    for n in 1..=records {
        match n % 1000 {
            0 => drop(log.append_and_wait(&event)),
            _ => log.append(&event, |_| {}),
        }
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
const BARE_BYTES: i64 = 256 << 20;
