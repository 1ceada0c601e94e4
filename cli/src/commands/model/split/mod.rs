//! `sealgate model split`: one model for several processes, where that is faster.

mod measure;
mod process;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealgate_model::Artifact;
use sealgate_model::split::{PLAN_FILE, part_file};
use sealgate_model_builder::{SplitBy, SplitModel, split};
use serde::Serialize;

use super::artifact;
use crate::error::CliError;
use crate::state::files;
use crate::{Verdict, output};
use measure::Measured;

/// Cut a model into parts that as many processes compute together
///
/// `columns` gives each part some units of every pair of layers, and parts work at the same time;
/// `layers` gives each some of the layers, and parts work on one block of rows after the other. The
/// first part's process, the head, answers; the others see what it sends them. docs/models.md says
/// what they learn from it.
///
/// Before anything is written both are run on this machine, the parts as real workers with sealed
/// messages between them: ts is the time of the whole model, tp that of the parts, T = tp/ts. A
/// model that is faster whole at every batch size is not split, unless `--anyway` is given.
#[derive(Args)]
pub(crate) struct Options {
    /// The model's file, or a folder that holds exactly one
    artifact: PathBuf,
    /// How many parts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=8))]
    parts: u8,
    /// How it is cut
    #[arg(long, value_name = "HOW", default_value = "columns")]
    by: By,
    /// Folder for `plan.json` and the parts
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Rows of the requests that are measured
    #[arg(
        long,
        value_name = "ROWS",
        value_delimiter = ',',
        default_values_t = [1, 8, 32, 256],
        value_parser = clap::value_parser!(u16).range(1..=4096)
    )]
    batches: Vec<u16>,
    /// Split a model that is faster whole
    #[arg(long)]
    anyway: bool,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum By {
    /// Units of every pair of layers
    Columns,
    /// Whole layers
    Layers,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let whole = artifact::read(&options.artifact)?;
    let by = match options.by {
        By::Columns => SplitBy::Columns,
        By::Layers => SplitBy::Layers,
    };
    let found = split(&whole, options.parts.into(), by)?;
    let measured = measure::measure(&whole, &found, &options.batches)?;
    match options.json {
        true => json(&whole, &found, &measured)?,
        false => table(&whole, &found, &measured)?,
    }
    let best = measured.iter().min_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    if let Some(best) = best.filter(|best| best.ratio() >= 1.0 && !options.anyway) {
        let (ratio, rows) = (best.ratio(), best.rows);
        return Err(CliError::SplitLoses { ratio, rows, parts: best.tp_us, whole: best.ts_us });
    }
    files::private_dir(&options.out)?;
    for (part, file) in found.parts.iter().enumerate() {
        files::replace(&options.out.join(part_file(part)), file)?;
    }
    // Last: whoever finds it finds everything that it names.
    let path = options.out.join(PLAN_FILE);
    files::replace(&path, &found.file)?;
    if !options.json {
        output::line(format_args!("wrote   {}", path.display()))?;
    }
    Ok(Verdict::Well)
}

fn table(whole: &Artifact, found: &SplitModel, measured: &[Measured]) -> Result<(), CliError> {
    output::line(format_args!("model   {}", whole.digest()))?;
    output::line(format_args!("plan    {}", found.plan.digest()))?;
    for (part, (digest, file)) in found.plan.parts().iter().zip(&found.parts).enumerate() {
        output::line(format_args!("part {part}  {digest}  {} bytes", file.len()))?;
    }
    output::line("  rows      ts us      tp us  T = tp/ts  difference")?;
    for Measured { rows, ts_us, tp_us, difference } in measured {
        let ratio = tp_us / ts_us;
        output::line(format_args!(
            "{rows:>6} {ts_us:>10.1} {tp_us:>10.1} {ratio:>10.2}  {difference:.1e}"
        ))?;
    }
    Ok(())
}

fn json(whole: &Artifact, found: &SplitModel, measured: &[Measured]) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report {
        model: String,
        plan: String,
        parts: Vec<String>,
        measured: Vec<Line>,
    }
    #[derive(Serialize)]
    struct Line {
        rows: usize,
        ts_us: f64,
        tp_us: f64,
        ratio: f64,
        largest_difference: f64,
    }
    let line = |one: &Measured| Line {
        rows: one.rows,
        ts_us: one.ts_us,
        tp_us: one.tp_us,
        ratio: one.ratio(),
        largest_difference: one.difference,
    };
    output::json(&Report {
        model: whole.digest().to_string(),
        plan: found.plan.digest().to_string(),
        parts: found.plan.parts().iter().map(ToString::to_string).collect(),
        measured: measured.iter().map(line).collect(),
    })
}
