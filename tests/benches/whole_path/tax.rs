//! What privacy costs: the whole path over the same path without sealing, policy and record.

use std::time::Duration;

use crate::load::{Bodies, Load, Round};
use crate::setup::{Path, Setup};
use crate::{ROUNDS, print_rows};

/// One block of the table, `BENCH_ONLY=tax`: the path without, and the product's.
pub fn compare(setup: &Setup, connections: usize, rows: usize, period: Duration) {
    let body = setup.body(rows);
    let (gateway, plain) = (setup.gateway("tax", str::to_owned), setup.plain());
    let targets: [(&str, &Path); 2] = [("the path without", &plain), ("whole path", &gateway)];
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); targets.len()];
    for round in 0..=ROUNDS {
        for (kept, (_, path)) in rounds.iter_mut().zip(&targets) {
            let load = Load {
                connections,
                content_type: "application/json",
                json_bytes: None,
                bodies: Bodies::same(&body),
                rows,
                tokens: std::slice::from_ref(&setup.rs256_token),
                period,
            };
            let result = load.run(path);
            if round > 0 {
                kept.push(result); // the first round warms up
            }
        }
    }
    println!(
        "\nwhat privacy costs, {connections} connections, {rows} rows (goal: CPU at most 1.4)"
    );
    print_rows(&rounds, &targets);
}
