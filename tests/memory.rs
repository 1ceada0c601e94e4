//! What a process still holds of a row when the row has been answered.
//!
//! A parent with the right to read any process scans a worker that has answered and is idle, and
//! finds nothing of what it was sent in any form the worker handles. Beside each such claim
//! stands a control: stopped at work, the same worker is seen to hold the forms in `FORMS_AT_WORK`.
//! The other forms are looked for as well, but no control shows that a worker ever writes them.
//!
//! The worker that is scanned is the one beside the tests, which has the shipped allocator and the
//! shipped code. `SEALGATE_BIN_DIR=$PWD/target/release cargo test --workspace --test memory` scans the
//! workers that lie there instead.
//!
//! Without the right to read other processes these tests say `skipped`; where `CI` is set they fail.
//! What lies on a stack is reported apart, for no allocator wipes a stack.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "what was scanned belongs into the test's report")]

#[path = "support/looks.rs"]
mod looks;
#[path = "support/marked.rs"]
mod marked;
#[path = "support/process.rs"]
mod process;
#[path = "support/scan.rs"]
mod scan;
#[path = "support/scene.rs"]
mod scene;
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use looks::{
    an_idle_worker_holds_none_of, assert_only_the_kernels_pages_are_unreadable, scan, scan_gateway,
    skipped,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process::{PATIENCE, Paused, allow_cores, core_limit, cores_in, owner, wait_until_idle};
use scan::{Kind, Needles, Scan};
use scene::Scene;
use serde_json::{Value, json};
use support::{is_alive, wait_until};

#[test]
fn an_idle_flex_worker_holds_nothing_of_what_it_was_sent() {
    an_idle_worker_holds_nothing_of_what_it_was_sent("flex");
}

#[test]
fn an_idle_ndarray_worker_holds_nothing_of_what_it_was_sent() {
    an_idle_worker_holds_nothing_of_what_it_was_sent("ndarray");
}

fn an_idle_worker_holds_nothing_of_what_it_was_sent(engine: &str) {
    let scene = Scene::start(engine);
    let exchanges = [scene.good_requests(), scene.refused_requests()].concat();
    let mut all = Vec::new();
    for exchange in &exchanges {
        let sought = [scene.ask(exchange), exchange.needles.clone()].concat();
        if !an_idle_worker_holds_none_of(&sought, &scene, &exchange.to_string()) {
            return;
        }
        all.extend(sought);
    }
    // Alone, a small request is run by the reader itself; among others it waits for a thread.
    std::thread::scope(|scope| {
        for exchange in &exchanges {
            scope.spawn(|| (0..5).for_each(|_| drop(scene.ask(exchange))));
        }
    });
    an_idle_worker_holds_none_of(&all, &scene, "all of these at once");
}

#[test]
fn neither_worker_nor_gateway_keeps_a_row_that_came_as_a_tensor_or_in_a_message() {
    let scene = Scene::start("flex");
    for (sought, what) in [
        (scene.ask_binary(1), "a row as a tensor"),
        (scene.ask_binary(120), "a tensor"),
        (scene.ask_grpc(1), "a row in a message"),
        (scene.ask_grpc(120), "a message"),
    ] {
        if !an_idle_worker_holds_none_of(&sought, &scene, what) {
            return;
        }
        let gateway = scene.demo.gateway_pid();
        wait_until_idle(gateway);
        let needles = Needles::new(sought);
        let Some(scan) = scan(&format!("gateway after {what}"), gateway, &needles) else { return };
        // No allocator wipes a stack.
        let kept = scan.hits_off_stack();
        assert!(kept.is_empty(), "after {what}: {}", looks::summary(&scan));
    }
}

#[test]
fn the_scan_finds_the_row_in_a_flex_worker_stopped_at_work() {
    the_scan_finds_the_row_in_a_worker_stopped_at_work("flex");
}

#[test]
fn the_scan_finds_the_row_in_an_ndarray_worker_stopped_at_work() {
    the_scan_finds_the_row_in_a_worker_stopped_at_work("ndarray");
}

/// The control: were a needle written otherwise than the worker writes it, no scan would find it.
fn the_scan_finds_the_row_in_a_worker_stopped_at_work(engine: &str) {
    let scene = Scene::start(engine);
    let exchange = scene.v2(200);
    let needles = Needles::new(exchange.needles.iter().cloned());
    let worker = scene.worker();
    if let Err(error) = Scan::of(worker, &needles) {
        return skipped(&error);
    }
    let mut found = BTreeSet::new();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let end = Instant::now() + PATIENCE;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && Instant::now() < end {
                    // A worker that stands still may answer too late; that is no fault here.
                    scene.send(&exchange);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while !FORMS_AT_WORK.iter().all(|form| found.contains(*form)) {
            if Instant::now() > end {
                break;
            }
            let before = answered.load(Ordering::Relaxed);
            wait_until("it goes on working", PATIENCE, || {
                answered.load(Ordering::Relaxed) > before
            });
            let stopped = Paused::new(worker);
            let scan = Scan::of(worker, &needles).unwrap();
            found.extend(scan.hits_off_stack().iter().map(|hit| hit.needle.clone()));
            drop(stopped);
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("{engine} worker at work: {found:?}");
    let missing: Vec<_> = FORMS_AT_WORK.iter().filter(|form| !found.contains(**form)).collect();
    assert!(missing.is_empty(), "never seen at work: {missing:?}");
}

#[test]
fn a_gateway_holds_the_row_that_comes_in() {
    let scene = Scene::start("flex");
    let exchange = scene.v2(1);
    let Some(moments) = scan_gateway(&scene, &exchange) else { return };
    let text = |scan: &Scan| scan.hits_off_stack().iter().any(|hit| hit.needle == "text");
    assert!(text(&moments.coming_in), "the scan does not see a row that is there");
    for scan in [&moments.coming_in, &moments.with_the_worker, &moments.answered, &moments.closed] {
        assert_only_the_kernels_pages_are_unreadable(scan);
    }
}

#[test]
fn every_copy_of_a_planted_needle_is_found_where_it_lies() {
    let needle = format!("planted {:032x}", u128::from_le_bytes([0xa7; 16]).wrapping_mul(3));
    let needles = Needles::new([("planted".to_owned(), needle.clone().into_bytes())]);
    assert_eq!(needle.len() + 1, PLANT_EVERY_BYTES);
    let holder = Holder::start(&needle);
    wait_until_idle(holder.pid());
    let Some(scan) = scan("holder of a planted needle", holder.pid(), &needles) else { return };
    assert_only_the_kernels_pages_are_unreadable(&scan);
    let missed = |part: &str| scan.unreadable.iter().any(|range| range.region.ends_with(part));
    assert!(missed("[vvar]"), "a range that cannot be read is not listed");
    // Those in the block are a whole number of copies apart; any other is by itself.
    let in_block = scan.hits.windows(2).filter(|pair| {
        pair[0].kind == Kind::Anonymous
            && pair[1].region == pair[0].region
            && pair[0].offset + PLANT_EVERY_BYTES as u64 == pair[1].offset
    });
    assert_eq!(in_block.count() + 1, PLANTED);
    assert_eq!(scan.hits.iter().filter(|hit| hit.kind == Kind::Stack).count(), 1);
}

#[test]
#[ignore = "what the test of planted needles starts, and no test"]
fn holder_of_a_planted_needle() {
    let mut stdin = std::io::stdin().lock();
    let mut length = [0];
    stdin.read_exact(&mut length).unwrap();
    let mut on_stack = [0; 64];
    let needle = &mut on_stack[..length[0].into()];
    stdin.read_exact(needle).unwrap();
    // Larger than what one read of the scan takes in, so that copies lie across its bounds.
    let mut block = vec![0; PLANTED * PLANT_EVERY_BYTES];
    for place in block.chunks_exact_mut(PLANT_EVERY_BYTES) {
        place[..needle.len()].copy_from_slice(needle);
    }
    println!("{READY}");
    let _ = stdin.read(&mut [0]);
    std::hint::black_box((&on_stack, &block));
}

#[test]
fn an_aborted_worker_leaves_no_core() {
    allow_cores();
    let scene = Scene::start("flex");
    let worker = scene.worker();
    assert_eq!(core_limit(worker), ["0", "0"]);
    assert_eq!(owner(worker), 0, "it may be dumped");
    let before = cores(&scene);
    kill(Pid::from_raw(worker), Signal::SIGABRT).unwrap();
    let its_end = |r: &Value| r["type"] == "worker_ended" && r["event"]["pid"] == json!(worker);
    let ended = || scene.demo.records().into_iter().find(its_end);
    wait_until("its end is on the record", PATIENCE, || ended().is_some());
    // A parent is told by the kernel whether there was a core, wherever it went.
    let why = ended().unwrap()["event"]["why"].to_string();
    assert!(why.contains("SIGABRT") && !why.contains("core dumped"), "{why}");
    assert_eq!(cores(&scene), before);
}

#[test]
fn an_aborted_gateway_leaves_no_core() {
    allow_cores();
    let scene = Scene::start("flex");
    let gateway = scene.demo.gateway_pid();
    assert_eq!(core_limit(gateway), ["0", "0"]);
    assert_eq!(owner(gateway), 0, "it may be dumped");
    let before = cores(&scene);
    kill(Pid::from_raw(gateway), Signal::SIGABRT).unwrap();
    wait_until("it is gone", PATIENCE, || !is_alive(gateway));
    assert_eq!(cores(&scene), before);
}

/// The control: where a core is allowed this system makes one, and the tests above would see it.
#[test]
fn an_aborted_process_that_nobody_hardened_leaves_a_core() {
    allow_cores();
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("sleep").arg("60").current_dir(&folder).spawn().unwrap();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGABRT).unwrap();
    let status = child.wait().unwrap();
    assert!(status.core_dumped(), "{status}");
    // Where the pattern is a path or a program, only the kernel's word to the parent can tell.
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    assert!(pattern.contains(['|', '/']) || cores_in(folder.path()).len() == 1);
}

/// A child of the tests that has a needle in its memory, and neither in its arguments nor in its
/// environment.
struct Holder(Child);

impl Holder {
    fn start(needle: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "holder_of_a_planted_needle", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.as_ref().unwrap();
        stdin.write_all(&[u8::try_from(needle.len()).unwrap()]).unwrap();
        stdin.write_all(needle.as_bytes()).unwrap();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with(READY)), "it ended");
        Self(child)
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Core files wherever one of the processes could leave it.
fn cores(scene: &Scene) -> BTreeSet<PathBuf> {
    let own = std::env::current_dir().unwrap();
    let folders = [scene.demo.state(), &std::env::temp_dir(), &own, Path::new("/")];
    folders.into_iter().flat_map(cores_in).collect()
}

/// Forms that a worker writes while it works; the others are looked for all the same.
const FORMS_AT_WORK: [&str; 5] =
    ["text", "f32 row", "centred row", "message control", "message seam"];
const READY: &str = "it is planted";
const PLANTED: usize = 200_000;
/// One byte more than a needle takes, so that nearly every bound of what the scan reads at once has
/// a copy across it.
const PLANT_EVERY_BYTES: usize = 41;
