//! Requests of one row, scored each by itself and together with those that wait.
//!
//! `BENCH_ONLY=batching` runs this block alone. The second network is one that a row takes long
//! through, because its weights do not fit into the nearest caches.

use std::time::Duration;

use sealgate_model::{Activation, Artifact, Dense, LayerWeights, Manifest};

use crate::load::{Bodies, Load, Round};
use crate::setup::{Path, Setup};
use crate::{ROUNDS, median};

/// Prints a table for each network: rate and latencies with batching over those without.
pub fn compare(setup: &Setup, period: Duration) {
    let original = std::fs::read(setup.artifact()).unwrap();
    for hidden in [None, Some([2048, 1024])] {
        let (name, file) = match hidden {
            None => ("30-128-64-1", original.clone()),
            Some(units) => ("30-2048-1024-1", wide(&original, units)),
        };
        std::fs::write(setup.artifact(), file).unwrap();
        println!("\none row in a request, {name}");
        println!(
            "{:>11} {:>10} {:>10} {:>7} {:>12} {:>12} {:>7} {:>9} {:>9}",
            "connections",
            "alone /s",
            "joined /s",
            "ratio",
            "alone CPU us",
            "joined CPU us",
            "ratio",
            "p50 ratio",
            "p99 ratio"
        );
        let gateways = [1, 256].map(|rows_max| gateway(setup, name, rows_max));
        for connections in [1, 16, 64, 256] {
            print(connections, &rounds(setup, &gateways, connections, period));
        }
    }
    std::fs::write(setup.artifact(), original).unwrap();
}

fn gateway(setup: &Setup, name: &str, rows_max: usize) -> Path {
    let file = format!("worker-{rows_max}.toml");
    let worker = std::fs::read_to_string(setup.state().join("worker.toml")).unwrap();
    let worker = format!("batch_rows_max = {rows_max}\n{worker}");
    std::fs::write(setup.state().join(&file), worker).unwrap();
    setup.gateway(&format!("batching-{name}-{rows_max}"), |config| {
        config.replace("/worker.toml", &format!("/{file}"))
    })
}

/// In turns: without and with batching.
fn rounds(
    setup: &Setup,
    gateways: &[Path; 2],
    connections: usize,
    period: Duration,
) -> [Vec<Round>; 2] {
    let mut kept = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (kept, path) in kept.iter_mut().zip(gateways) {
            let load = Load {
                connections,
                content_type: "application/json",
                json_bytes: None,
                bodies: Bodies::same(&setup.body(1)),
                rows: 1,
                tokens: std::slice::from_ref(&setup.rs256_token),
                period,
            };
            let result = load.run(path);
            assert_eq!(result.errors, 0, "some requests failed");
            if round > 0 {
                kept.push(result); // the first round warms up
            }
        }
    }
    kept
}

fn print(connections: usize, [alone, joined]: &[Vec<Round>; 2]) {
    let both = |of: fn(&Round) -> f64| [median(alone, of), median(joined, of)];
    let ratio = |[alone, joined]: [f64; 2]| joined / alone;
    let (rate, cpu) = (both(|r| r.rate), both(|r| r.cpu_us));
    println!(
        "{connections:>11} {:>10.0} {:>10.0} {:>7.2} {:>12.1} {:>12.1} {:>7.2} {:>9.2} {:>9.2}",
        rate[0],
        rate[1],
        ratio(rate),
        cpu[0],
        cpu[1],
        ratio(cpu),
        ratio(both(|r| r.p50_us)),
        ratio(both(|r| r.p99_us)),
    );
}

/// The same model with other hidden layers, and weights that mean nothing.
fn wide(original: &[u8], hidden: [u32; 2]) -> Vec<u8> {
    let original = Artifact::parse(original).unwrap();
    let mut manifest: Manifest = original.manifest().clone();
    let layer = |units| Dense { units, activation: Activation::Relu };
    let head = manifest.architecture.pop().unwrap();
    manifest.architecture = hidden.map(layer).into_iter().chain([head]).collect();
    let noise = |count: usize, scale: f32| -> Vec<f32> {
        (0..count).map(|at| (at as f32 * 0.37).sin() * scale).collect()
    };
    let units: Vec<usize> =
        manifest.architecture.iter().map(|layer| layer.units as usize).collect();
    let inputs = [manifest.features.len()].into_iter().chain(units.iter().copied());
    let weights: Vec<_> = inputs
        .zip(&units)
        .map(|(inputs, &units)| LayerWeights {
            weight: noise(inputs * units, 1.0 / inputs as f32),
            bias: noise(units, 0.1),
        })
        .collect();
    Artifact::encode(&manifest, &weights).unwrap()
}
