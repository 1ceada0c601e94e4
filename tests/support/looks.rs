//! Scans with what they say: of a worker at rest, of a gateway through one request.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "what was scanned belongs into the test's report")]

use std::collections::BTreeMap;
use std::io::Write;

use crate::marked::{Exchange, Needle};
use crate::process::{PATIENCE, Paused, resident_bytes, wait_until_idle};
use crate::scan::{Kind, Needles, NoRight, Scan};
use crate::scene::{Held, Scene};
use crate::support::wait_until;

pub fn an_idle_worker_holds_none_of(sought: &[Needle], scene: &Scene, after: &str) -> bool {
    let worker = scene.worker();
    wait_until_idle(worker);
    let needles = Needles::new(sought.iter().cloned());
    let Some(scan) = scan(&format!("worker after {after}"), worker, &needles) else { return false };
    assert_only_the_kernels_pages_are_unreadable(&scan);
    assert!(scan.hits.is_empty(), "after {after}: {}", summary(&scan));
    true
}

/// A gateway's memory at four moments of one request.
pub struct Moments {
    /// All but the last byte of the body has come.
    pub coming_in: Scan,
    /// The worker has it and does not answer.
    pub with_the_worker: Scan,
    /// The client has its answer and keeps the connection.
    pub answered: Scan,
    /// The client has closed the connection.
    pub closed: Scan,
}

pub fn scan_gateway(scene: &Scene, exchange: &Exchange) -> Option<Moments> {
    let gateway = scene.demo.gateway_pid();
    let needles = Needles::new(exchange.needles.iter().cloned());
    let look = |moment: &str| {
        wait_until_idle(gateway);
        scan(&format!("gateway, {moment}"), gateway, &needles)
    };
    let decided = || scene.demo.records().iter().filter(|r| r["type"] == "decision").count();
    let before = decided();
    let mut held = Held::begin(scene, exchange);
    wait_until("the request is decided", PATIENCE, || decided() > before);
    let coming_in = look("the request is coming in")?;
    let stopped = Paused::new(scene.worker());
    held.send_rest();
    let with_the_worker = look("the worker has the request")?;
    drop(stopped);
    held.read_answer();
    let answered = look("the client has the answer")?;
    drop(held);
    let closed = look("the connection is closed")?;
    Some(Moments { coming_in, with_the_worker, answered, closed })
}

/// Scans all that is in memory and says what was seen; nothing where reading is not allowed.
pub fn scan(what: &str, pid: i32, needles: &Needles) -> Option<Scan> {
    match Scan::of(pid, needles) {
        Ok(scan) => {
            assert!(scan.bytes_read >= resident_bytes(pid), "{what}: not all of it was read");
            println!("{what}: {} KiB read, {}", scan.bytes_read >> 10, summary(&scan));
            let unreadable: Vec<_> = scan.unreadable.iter().map(ToString::to_string).collect();
            println!("    not read: {}", unreadable.join(", "));
            Some(scan)
        }
        Err(error) => {
            skipped(&error);
            None
        }
    }
}

/// Hits by kind of memory and form.
pub fn summary(scan: &Scan) -> String {
    let mut counts = BTreeMap::new();
    let hits = scan.hits_off_stack().into_iter().chain(scan.hits_on_stack());
    for hit in hits {
        *counts.entry((hit.kind, &hit.region, &hit.needle)).or_insert(0) += 1;
    }
    if counts.is_empty() { "no hits".to_owned() } else { format!("hits: {counts:?}") }
}

/// Says so; in CI the right must be there.
pub fn skipped(error: &NoRight) {
    assert!(std::env::var_os("CI").is_none(), "no right to read other processes: {}", error.0);
    let _ = writeln!(std::io::stderr(), "skipped: no right to read other processes: {}", error.0);
}

pub fn assert_only_the_kernels_pages_are_unreadable(scan: &Scan) {
    let others = scan.unreadable.iter().filter(|range| range.kind != Kind::Kernel);
    let others: Vec<_> = others.map(ToString::to_string).collect();
    assert!(others.is_empty(), "{others:#?}");
}
