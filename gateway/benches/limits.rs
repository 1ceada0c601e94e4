//! What a request's limits cost while leases are in hand: nanoseconds per take and settle, with
//! none, one rate, rows per day, and every limit set. The goal is 1,000.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may print and panic")]

use std::num::NonZeroU32;
use std::time::Instant;

use sealgate_gateway::limits::{Limits, Quotas, Who};
use sealgate_policies::Rate;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::open(&folder.path().join("limits"), NOW_S).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let many = NonZeroU32::new(u32::MAX);
    let rate = many.map(|many| Rate { per_minute: many, burst: many });
    let none = Quotas::default();
    let all =
        Quotas { rate, concurrent_max: many, rows_per_day: many, tenant_rows_per_month: many };
    let cases = [
        ("no limit", none),
        ("one rate", Quotas { rate, ..none }),
        ("rows per day", Quotas { rows_per_day: many, ..none }),
        ("all four", all),
    ];
    println!("limits set    ns per take and settle (goal: 1,000)");
    for (name, quotas) in cases {
        let nanos = runtime.block_on(measure(&limits, &quotas));
        println!("{name:<12} {nanos:>6}");
    }
    limits.close();
}

/// The best of several runs: others use this machine too.
async fn measure(limits: &Limits, quotas: &Quotas) -> u128 {
    let who = Who {
        issuer: "https://login.clinic.example/realms/main",
        subject: "b1946ac9-2492-4d31-a6f1-9a5f8f3f3c0e",
        tenant: Some("clinic"),
        model: "breast-cancer",
    };
    let mut best = u128::MAX;
    for _ in 0..RUNS {
        let begun = Instant::now();
        for _ in 0..REQUESTS {
            limits.take(&who, quotas, Some(2), NOW_S).await.unwrap().settle(1);
        }
        best = best.min(begun.elapsed().as_nanos() / u128::from(REQUESTS));
    }
    best
}

const NOW_S: u64 = 1_790_000_000;
const RUNS: u32 = 20;
const REQUESTS: u32 = 20_000;
