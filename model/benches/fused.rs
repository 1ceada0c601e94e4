//! What a forward pass costs: the fused path beside the engine, in alternating rounds.
//!
//! `cargo bench -p sealgate-model` prints a table; only its ratios mean something elsewhere. With
//! `--answer` the program measures what it is asked for on its standard input, so that
//! `compare.py` can take turns between it and other runtimes on the same files.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic and prints")]

use std::hint::black_box;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use sealgate_model::{Artifact, Model, Network, Outputs, Rows};

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/model/sample.rs"]
mod sample;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--answer") => answer(Path::new(&arguments[1])),
        _ => table(),
    }
}

/// The networks that are measured: features, and hidden units before one sigmoid unit.
const NETWORKS: [usize; 2] = [30, 784];
const HIDDEN: [u32; 2] = [128, 64];
const BATCHES: [usize; 4] = [1, 8, 32, 256];
const ROUNDS: usize = 15;

fn table() {
    println!("{:<14} {:>5} {:>10} {:>10} {:>6}", "network", "rows", "fused us", "flex us", "ratio");
    for features in NETWORKS {
        let artifact = Artifact::parse(&file(features)).unwrap();
        let fused = Model::load(&artifact, &Device::flex()).unwrap();
        let engine = Network::load(&artifact, &Device::flex()).unwrap();
        assert!(fused.judgement().is_some(), "this machine has no fused path");
        for batch in BATCHES {
            let rows = rows(features, batch);
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(time(passes(batch), || fused.infer(&rows).unwrap()));
                theirs.push(time(passes(batch), || engine.infer(&rows).unwrap()));
            }
            let (ours, theirs) = (median(ours), median(theirs));
            let name = format!("{features}-128-64-1");
            println!("{name:<14} {batch:>5} {ours:>10.2} {theirs:>10.2} {:>6.1}", theirs / ours);
        }
    }
}

/// Writes each network to `dir`, then answers lines of `features batch passes` with microseconds.
fn answer(dir: &Path) {
    let models = NETWORKS.map(|features| {
        let file = file(features);
        std::fs::write(dir.join(format!("{features}.safetensors")), &file).unwrap();
        (features, Model::load(&Artifact::parse(&file).unwrap(), &Device::flex()).unwrap())
    });
    println!("ready");
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let mut numbers = line.split_whitespace().map(|word| word.parse::<usize>().unwrap());
        let [features, batch, passes] = [(); 3].map(|()| numbers.next().unwrap());
        let (_, model) = models.iter().find(|(of, _)| *of == features).unwrap();
        let rows = rows(features, batch);
        println!("{}", time(passes, || model.infer(&rows).unwrap()));
    }
}

fn file(features: usize) -> Vec<u8> {
    let manifest = sample::manifest(features, &HIDDEN);
    Artifact::encode(&manifest, &sample::weights(&manifest)).unwrap()
}

fn rows(features: usize, count: usize) -> Rows {
    Rows::new(count, features, sample::noise(7, features * count, 10.0)).unwrap()
}

/// Enough to be measured, few enough to take turns often.
const fn passes(batch: usize) -> usize {
    4_000 / (batch + 3)
}

/// Microseconds a pass, over `passes` of them.
fn time(passes: usize, run: impl Fn() -> Outputs) -> f64 {
    let started = Instant::now();
    for _ in 0..passes {
        black_box(run());
    }
    started.elapsed().as_secs_f64() * 1e6 / passes as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
