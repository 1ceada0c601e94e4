//! What the durability of the record costs: the same gateway with its log on a disk and in memory.
//!
//! There is no gateway without an audit log, and no setting that makes one. What a log costs that
//! is durable is seen by putting the log where a write and an `fdatasync` cost next to nothing
//! (`/dev/shm`). That leaves out the disk, and the time that an answer waits for it. It leaves in
//! making, hashing, chaining and signing the records, handing them to the log's thread and waking up
//! from there: of these the stages of a request say how much they are.

use std::time::Duration;

use crate::load::{Bodies, Load, Round};
use crate::processes::file_system_of;
use crate::setup::{Path, Setup, value};
use crate::{ROUNDS, print_rows};

/// Requests of one row over so many connections, interleaved.
pub fn compare(setup: &Setup, period: Duration) {
    let memory = tempfile::tempdir_in("/dev/shm").expect("a file system in memory");
    let body = setup.body(1);
    let in_memory = |config: &str| {
        let dir = value(config, "dir");
        let moved = memory.path().join("audit");
        // What lies beside the log by default stays where it was.
        let config = config.replacen(&format!("dir = \"{dir}\""), &format!("dir = {moved:?}"), 1);
        format!("{config}\n[limits]\nstore = \"{dir}-limits\"\n")
    };
    let without = setup.gateway("in-memory", in_memory);
    let with = setup.gateway("on-disk", str::to_owned);
    println!("\nlog in memory on {}", file_system_of(memory.path()));
    let targets: [(&str, &Path); 2] =
        [("whole path, log in memory", &without), ("whole path, log on a disk", &with)];
    for connections in [1, 16, 64] {
        let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); targets.len()];
        for round in 0..=ROUNDS {
            for (kept, (_, path)) in rounds.iter_mut().zip(&targets) {
                let load = Load {
                    connections,
                    content_type: "application/json",
                    json_bytes: None,
                    bodies: Bodies::same(&body),
                    rows: 1,
                    tokens: std::slice::from_ref(&setup.rs256_token),
                    period,
                };
                let result = load.run(path);
                if round > 0 {
                    kept.push(result); // the first round warms up
                }
            }
        }
        println!("\n{connections} connections, 1 row; the ratio is with durability over without");
        print_rows(&rounds, &targets);
    }
}
