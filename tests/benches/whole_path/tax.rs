//! What privacy costs: the whole path over the same path without sealing, policy and record.

use std::time::Duration;

use crate::setup::{Path, Setup};
use crate::{interleaved, print_rows};

/// One block of the table, `BENCH_ONLY=tax`: the path without, and the product's.
pub fn compare(setup: &Setup, connections: usize, rows: usize, period: Duration) {
    let (gateway, plain) = (setup.gateway("tax", str::to_owned), setup.plain());
    let targets: [(&str, &Path); 2] = [("the path without", &plain), ("whole path", &gateway)];
    let rounds = interleaved(setup, &targets, connections, rows, period);
    println!(
        "\nwhat privacy costs, {connections} connections, {rows} rows (goal: CPU at most 1.4)"
    );
    print_rows(&rounds, &targets);
}
