//! `cargo bench -p sealgate-tests --bench whole_path`, after `cargo build --release`.
//!
//! Compares the whole path (TLS, token, policy, sealing, worker, inference, record) with a bare
//! axum + rustls echo of the same sizes, in interleaved rounds of one run, with one load
//! generator for all rows. Client-sealed mode is compared with a bare gateway of Oblivious HTTP on the
//! `ohttp` crate behind the same TLS. `BENCH_ONLY=sealed`, `forms`, `tax` or `reaction` runs that block
//! alone, `BENCH_ONLY=batching`, `workers` or `audit` one that is not in the table. Rates on a shared machine vary; the ratios of
//! one run are what counts.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

mod audit;
mod batching;
mod echo;
mod forms;
mod load;
mod plain;
mod processes;
mod reaction;
mod sealed;
mod setup;
mod stages;
mod started;
mod tax;
mod workers;

use std::time::Duration;

use load::{Bodies, Load, Round};
use processes::{file_system_of, own_cpu, processor};
use setup::Path;

const ROUNDS: usize = 5;

fn main() {
    if std::env::args().any(|argument| argument == "--echo" || argument == "--ohttp-echo") {
        return echo::serve();
    }
    if std::env::args().any(|argument| argument == "--plain") {
        return plain::serve();
    }
    if std::env::args().any(|argument| argument == "--plain-worker") {
        return plain::work();
    }
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(2.0);
    let period = Duration::from_secs_f64(seconds);
    let setup = setup::Setup::new();
    println!("{}", processor());
    println!("{ROUNDS} interleaved rounds of {seconds} s, HTTP/1.1 keep-alive over TLS 1.3");
    println!("audit log on {}", file_system_of(&setup.state().join("audit")));

    match std::env::var("BENCH_ONLY").as_deref() {
        Ok("sealed") => return sealed::compare(&setup, 16, period),
        Ok("forms") => return forms::compare(&setup, 16, 32, period),
        Ok("audit") => return audit::compare(&setup, period),
        Ok("batching") => return batching::compare(&setup, period),
        Ok("workers") => return workers::compare(&setup, period),
        Ok("tax") => return tax::compare(&setup, 16, 1, period),
        Ok("reaction") => return reaction::print(&setup),
        _ => {}
    }
    for (connections, rows) in [(16, 1), (1, 1), (16, 32), (1, 32)] {
        compare(&setup, connections, rows, period);
    }
    forms::compare(&setup, 16, 32, period);
    sealed::compare(&setup, 16, period);
    tax::compare(&setup, 16, 1, period);
    cold_start(&setup);
    reaction::print(&setup);
    stages::print(&setup);
}

/// One block of the table: echo, whole path with remembered tokens, with RS256 checked each time.
fn compare(setup: &setup::Setup, connections: usize, rows: usize, period: Duration) {
    let body = setup.body(rows);
    // Named by its block, so that the stages can be read from one block's log.
    let cached = setup.gateway(&format!("cached-{connections}x{rows}"), str::to_owned);
    let echo = setup.echo(setup.answer_bytes(&cached, &body));
    let verified = setup
        .gateway("verified", |config| format!("{config}\n[requests]\ntoken_cache_entries = 0\n"));
    let targets: [(&str, &Path); 3] = [
        ("echo (axum + rustls)", &echo),
        ("whole path, token remembered", &cached),
        ("whole path, RS256 each time", &verified),
    ];
    let generator = own_cpu();
    let rounds = interleaved(setup, &targets, connections, rows, period);
    println!("\n{connections} connections, {rows} rows in a request of {} bytes", body.len());
    print_rows(&rounds, &targets);
    println!("load generator: {:.1} s of CPU over all rows", own_cpu() - generator);
}

/// JSON of so many rows to each target in turn, again and again; all but the first round counts.
fn interleaved(
    setup: &setup::Setup,
    targets: &[(&str, &Path)],
    connections: usize,
    rows: usize,
    period: Duration,
) -> Vec<Vec<Round>> {
    let load = Load {
        connections,
        content_type: "application/json",
        json_bytes: None,
        bodies: Bodies::same(&setup.body(rows)),
        rows,
        tokens: std::slice::from_ref(&setup.rs256_token),
        period,
    };
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); targets.len()];
    for round in 0..=ROUNDS {
        for (kept, (_, path)) in rounds.iter_mut().zip(targets) {
            let result = load.run(path);
            if round > 0 {
                kept.push(result); // the first round warms up
            }
        }
    }
    rounds
}

/// One line for each target; the first is what the others are compared with.
fn print_rows(rounds: &[Vec<Round>], targets: &[(&str, &Path)]) {
    println!(
        "{:<30} {:>10} {:>7} {:>12} {:>7} {:>9} {:>9} {:>9}",
        "", "req/s", "ratio", "CPU us/req", "ratio", "p50 us", "p99 us", "MB"
    );
    let base = (median(&rounds[0], |r| r.rate), median(&rounds[0], |r| r.cpu_us));
    for (kept, (name, path)) in rounds.iter().zip(targets) {
        let (rate, cpu) = (median(kept, |r| r.rate), median(kept, |r| r.cpu_us));
        println!(
            "{name:<30} {rate:>10.0} {:>7.2} {cpu:>12.1} {:>7.2} {:>9.0} {:>9.0} {:>9.1}",
            rate / base.0,
            cpu / base.1,
            median(kept, |r| r.p50_us),
            median(kept, |r| r.p99_us),
            path.processes.resident_mb(),
        );
        assert!(kept.iter().all(|round| round.errors == 0), "{name}: some requests failed");
    }
}

fn cold_start(setup: &setup::Setup) {
    let mut workers: Vec<f64> = (0..30).map(|_| setup.worker_cold_start_ms()).collect();
    let mut gateways: Vec<f64> = (0..30).map(|_| setup.gateway_cold_start_ms()).collect();
    workers.sort_by(f64::total_cmp);
    gateways.sort_by(f64::total_cmp);
    println!("\ncold start, median of 30 (slowest), in ms");
    println!(
        "worker, spawn to first opened answer          {:>7.1} ({:.1})",
        workers[15], workers[29]
    );
    println!(
        "gateway and worker, spawn to last byte on TLS {:>7.1} ({:.1})",
        gateways[15], gateways[29]
    );
}

fn median(rounds: &[Round], of: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
