//! How long a model takes whole and in parts, on this machine.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use sealgate_model::split::Elsewhere;
use sealgate_model::{Artifact, Manifest, Model, Rows};
use sealgate_model_builder::SplitModel;

use super::process::Started;
use crate::error::CliError;
use crate::progress::Progress;

/// Both on requests of one size.
pub(super) struct Measured {
    pub(super) rows: usize,
    /// Microseconds of the whole model, the median.
    pub(super) ts_us: f64,
    /// Microseconds of the parts, the median.
    pub(super) tp_us: f64,
    /// How far two answers are apart at most; beyond 1 relative to the whole model's.
    pub(super) difference: f64,
}

impl Measured {
    /// T = tp/ts.
    pub(super) fn ratio(&self) -> f64 {
        self.tp_us / self.ts_us
    }
}

/// Runs both on requests of so many rows. This process is the head, as the first worker would be;
/// each other part is a worker of its own behind a sealed hop.
pub(super) fn measure(
    whole: &Artifact,
    found: &SplitModel,
    batches: &[u16],
) -> Result<Vec<Measured>, CliError> {
    let device = Device::flex();
    let own = found.plan.part(0, found.parts.first().map_or(&[], Vec::as_slice));
    let own = own.map_err(CliError::Split)?;
    let mut processes = Vec::with_capacity(found.parts.len());
    let mut others: Vec<Box<dyn Elsewhere>> = Vec::with_capacity(found.parts.len());
    for file in found.parts.iter().skip(1) {
        let (process, part) = Started::new(file)?;
        processes.push(process);
        others.push(Box::new(part));
    }
    let parts = Model::assemble(&found.plan, &own, others, &device).map_err(CliError::Split)?;
    let whole = (Model::load(whole, &device).map_err(CliError::Split)?, whole.manifest());
    let bar = Progress::new("measuring");
    let mut measured = Vec::with_capacity(batches.len());
    for (done, &rows) in batches.iter().enumerate() {
        bar.at(done as u64, batches.len() as u64);
        measured.push(compare(&whole, &parts, rows.into())?);
    }
    Ok(measured)
}

fn compare(
    (whole, manifest): &(Model, &Manifest),
    parts: &Model,
    count: usize,
) -> Result<Measured, CliError> {
    let rows = rows(manifest, count)?;
    let run = |model: &Model| {
        let started = Instant::now();
        let answer = model.infer(&rows).map_err(CliError::Split)?;
        Ok::<_, CliError>((started.elapsed(), answer))
    };
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    let (began, mut difference) = (Instant::now(), 0.0_f64);
    // In turn, so that whatever else this machine does slows both.
    while alone.len() < RUNS_MIN || (alone.len() < RUNS_MAX && began.elapsed() < TIME) {
        let (ts, one) = run(whole)?;
        let (tp, other) = run(parts)?;
        alone.push(ts);
        together.push(tp);
        let apart = one.values().iter().zip(other.values()).map(|(one, other)| {
            let (one, other) = (f64::from(*one), f64::from(*other));
            (one - other).abs() / one.abs().max(1.0)
        });
        difference = apart.fold(difference, f64::max);
    }
    let (ts_us, tp_us) = (median_us(alone), median_us(together));
    Ok(Measured { rows: count, ts_us, tp_us, difference })
}

fn median_us(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// Rows around what the model was trained on, each another.
fn rows(manifest: &Manifest, count: usize) -> Result<Rows, CliError> {
    let features = manifest.features.len();
    let fit = manifest.standardisation.as_ref();
    let value = |at: usize| {
        let share = (at as f64 * GOLDEN).fract().mul_add(2.0, -1.0) as f32;
        let column = at % features.max(1);
        let fit = fit.and_then(|fit| Some((fit.mean.get(column)?, fit.std.get(column)?)));
        fit.map_or(share, |(mean, std)| std.mul_add(share, *mean))
    };
    let values = (0..count * features).map(value).collect();
    Rows::new(count, features, values).map_err(CliError::Split)
}

const RUNS_MIN: usize = 15;
const RUNS_MAX: usize = 2_000;
const TIME: Duration = Duration::from_secs(1);
/// Its multiples leave no gap in the unit interval longer than they must.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
