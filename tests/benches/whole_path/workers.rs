//! One worker and two by the number of connections, and what is left of the peak when more ask than
//! can be served.

use std::time::Duration;

use crate::setup::{Path, Setup};
use crate::{interleaved, median, print_rows};

/// A block for each number of connections, `BENCH_ONLY=workers`: echo, one worker, two.
pub fn compare(setup: &Setup, period: Duration) {
    let body = setup.body(1);
    // All of them come from one address here.
    let roomy = |config: &str| {
        let most = BEYOND[1];
        let limits = format!("connections_max = {most}\nconnections_per_address_max = {most}");
        config.replace("[audit]", &format!("[edge.limits]\n{limits}\n[audit]"))
    };
    let one = setup.gateway("one-worker", roomy);
    let two = setup.gateway_of(2, "two-workers", |config| {
        roomy(config).replace("[[models]]", "[[models]]\nreplicas = 2")
    });
    let echo = setup.echo(setup.answer_bytes(&one, &body));
    let targets: [(&str, &Path); 3] =
        [("echo (axum + rustls)", &echo), ("one worker", &one), ("two workers", &two)];
    let mut peaks = [0.0_f64; 3];
    for connections in [1, 16, 64, 256] {
        let rounds = interleaved(setup, &targets, connections, 1, period);
        println!("\n{connections} connections, 1 row");
        print_rows(&rounds, &targets);
        for ((kept, (name, _)), peak) in rounds.iter().zip(&targets).zip(&mut peaks) {
            let (p50, p99) = (median(kept, |r| r.p50_us), median(kept, |r| r.p99_us));
            println!("{name}: p99 is {:.1} times p50", p99 / p50);
            *peak = peak.max(median(kept, |r| r.rate));
        }
    }
    for connections in BEYOND {
        println!(
            "\n{connections} connections; {IN_FLIGHT} requests are in flight at once, {WAITING} wait"
        );
        let rounds = interleaved(setup, &targets, connections, 1, period);
        for ((kept, (name, _)), peak) in rounds.iter().zip(&targets).zip(peaks) {
            println!(
                "{name}: {:.0} answers a second, {:.2} of the peak (goal 0.9); {} of {} requests refused",
                median(kept, |r| r.good_rate),
                median(kept, |r| r.good_rate) / peak,
                kept.iter().map(|r| r.errors).sum::<usize>(),
                kept.iter().map(|r| r.count).sum::<usize>(),
            );
        }
    }
}

/// What a gateway lets in at once and lets wait, by default.
const IN_FLIGHT: usize = 512;
const WAITING: usize = 1_024;
/// More than are let in at once, and more than may wait as well: the rest is refused and asks again at once.
const BEYOND: [usize; 2] = [768, 2_048];
