//! How soon there are workers: from none, with and without a spare one, and a second one in a burst.
//! And where a worker's start spends its time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::load::{Bodies, Load};
use crate::setup::Setup;

/// Prints the three blocks, `BENCH_ONLY=reaction`.
pub fn print(setup: &Setup) {
    println!(
        "\na request that wakes a worker over one that finds one, ms (goal 40), median of {TIMES}"
    );
    for spares in [0, 1] {
        let (mut woken, mut warm) = wakes(setup, spares);
        let (woken, warm) = (middle(&mut woken), middle(&mut warm));
        println!("{spares} spare workers: {woken:.1} over {warm:.1}, added {:.1}", woken - warm);
    }
    println!(
        "\nsecond worker, from the first request of a burst until it answers, defaults: {:.1} s",
        burst(setup)
    );
    println!("\nwhere a worker's start spends its time, ms (median of {TIMES}, gateway and all)");
    stages(setup);
}

/// Milliseconds of requests that found no worker, and of the next ones.
fn wakes(setup: &Setup, spares: usize) -> (Vec<f64>, Vec<f64>) {
    let name = format!("waking-{spares}");
    let mut gateway = setup.start_gateway(&name, 1, |config| {
        let config = config.replace(
            "[[models]]",
            "[[models]]\nscaling = { min = 0, max = 2, tick_ms = 50, panic_window_ms = 100, \
             stable_window_ms = 200, idle_grace_ms = 50 }",
        );
        if spares == 0 {
            return config;
        }
        config.replace("[worker]", &format!("[worker]\nspares = {spares}"))
    });
    let body = setup.body(1);
    let address = gateway.address.clone();
    let timed = || {
        let begun = Instant::now();
        setup.ask(&address, &body);
        begun.elapsed().as_secs_f64() * 1e3
    };
    let (mut woken, mut warm) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        gateway.until("worker_ended");
        // The spare one is there again within a tick of the scaler.
        std::thread::sleep(Duration::from_millis(300));
        woken.push(timed());
        warm.push(timed());
    }
    gateway.end();
    (woken, warm)
}

/// Seconds until a burst has its second worker.
fn burst(setup: &Setup) -> f64 {
    let mut gateway = setup.start_gateway("burst", 1, |config| {
        let scaling = "scaling = { min = 1, max = 2, in_flight_per_worker = 4 }";
        config.replace("[[models]]", &format!("[[models]]\n{scaling}"))
    });
    let path = setup.path(gateway.address.clone(), gateway.pids());
    let load = Load {
        connections: 16,
        content_type: "application/json",
        json_bytes: None,
        bodies: Bodies::same(&setup.body(32)),
        rows: 32,
        tokens: std::slice::from_ref(&setup.rs256_token),
        period: Duration::from_secs(10),
    };
    let begun = Instant::now();
    let round = load.run(&path);
    assert_eq!(round.errors, 0, "some requests failed");
    let came = gateway.until("worker_started").0.saturating_duration_since(begun);
    gateway.end();
    came.as_secs_f64()
}

fn stages(setup: &Setup) {
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for _ in 0..TIMES {
        let gateway = setup.start_gateway("stages", 1, str::to_owned);
        let mut total = 0.0;
        for (stage, us) in &gateway.stages_us {
            let ms = *us as f64 / 1e3;
            all.entry(stage.clone()).or_default().push(ms);
            total += ms;
        }
        all.entry("total".to_owned()).or_default().push(total);
        gateway.end();
    }
    for (stage, mut times) in all {
        println!("{stage:<14} {:>7.2}", middle(&mut times));
    }
}

fn middle(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

const TIMES: usize = 15;
