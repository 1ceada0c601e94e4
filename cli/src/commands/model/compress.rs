//! `sealgate model compress`: the same network in fewer bits, with what that costs.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sealgate_model::{Artifact, Rows, WeightFormat};
use sealgate_model_builder::{Compression, Dataset, Score, Truth, compress};
use serde::Serialize;

use super::artifact;
use crate::error::CliError;
use crate::state::files;
use crate::{Verdict, output, rows};

/// Store a model's weights in fewer bits and say what that costs
///
/// `int8` keeps a scale for each unit of a layer and biases in 32 bits; `f16` halves everything
/// but the biases. Both models score the rows of `--data`. With `--target` their answers are
/// compared with the truth, and a model that loses more than `--max-loss` of accuracy or of the
/// area under the ROC curve, or whose error grows by more than that share, is not written.
/// Without, the largest difference between two answers is the loss.
#[derive(Args)]
pub(crate) struct Options {
    /// The model's file, or a folder that holds exactly one
    artifact: PathBuf,
    /// How the weights are stored
    #[arg(long, value_name = "FORMAT")]
    to: To,
    /// File with rows that the model was not trained on; with `--target`, CSV
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column of the CSV with the class or the number that is true of each row
    #[arg(long, value_name = "COL")]
    target: Option<String>,
    /// What that column says where the positive one of two classes is true [default: its name]
    #[arg(long, value_name = "LABEL", requires = "target")]
    positive: Option<String>,
    /// Folder for `model.safetensors`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The largest loss
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    max_loss: f64,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum To {
    /// Whole numbers from -127 to 127, a scale for each unit
    Int8,
    /// IEEE 754 half precision
    F16,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let (before, bytes) = artifact::read_with_size(&options.artifact)?;
    let (rows, truth) = data(options, &before)?;
    let to = match options.to {
        To::Int8 => WeightFormat::Int8,
        To::F16 => WeightFormat::F16,
    };
    let found = compress(&before, bytes, to, &rows, truth.as_ref())?;
    match options.json {
        true => json(&found, rows.count())?,
        false => table(&found, rows.count())?,
    }
    let found = found.within(options.max_loss)?;
    files::private_dir(&options.out)?;
    let path = options.out.join("model.safetensors");
    files::replace(&path, &found.file)?;
    if !options.json {
        output::line(format_args!("digest              {}", found.artifact.digest()))?;
        output::line(format_args!("wrote               {}", path.display()))?;
    }
    Ok(Verdict::Well)
}

fn data(options: &Options, artifact: &Artifact) -> Result<(Rows, Option<Truth>), CliError> {
    let Some(target) = &options.target else {
        return Ok((rows::read(&options.data, artifact.manifest())?, None));
    };
    let path: &Path = &options.data;
    let file = File::open(path).map_err(CliError::io("open", path))?;
    let positive = options.positive.as_deref();
    let data = Dataset::for_model(artifact.manifest(), file, target, positive)?;
    Ok((data.to_rows()?, Some(data.truth().clone())))
}

fn table(found: &Compression, rows: usize) -> Result<(), CliError> {
    size("weights", found.weight_bytes)?;
    size("file", found.file_bytes)?;
    output::line(format_args!("rows                {rows}"))?;
    output::line(format_args!("largest difference  {:.2e}", found.largest_difference))?;
    output::line(format_args!("mean difference     {:.2e}", found.mean_difference))?;
    let Some([before, after]) = &found.scores else { return Ok(()) };
    for (measure, before) in before.measures() {
        let after = after.get(measure).unwrap_or(f64::NAN);
        output::line(format_args!("{:<18}  {before:.6} -> {after:.6}", measure.name()))?;
    }
    Ok(())
}

fn size(of: &str, [before, after]: [usize; 2]) -> Result<(), CliError> {
    let share = ratio([before, after]);
    let times = share.recip();
    output::line(format_args!(
        "{of:<18}  {before} -> {after} bytes, C = Sc/So = {share:.3} ({times:.2} times smaller)"
    ))
}

fn ratio([before, after]: [usize; 2]) -> f64 {
    after as f64 / before as f64
}

fn json(found: &Compression, rows: usize) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report {
        digest: String,
        rows: usize,
        weight_bytes: [usize; 2],
        weight_ratio: f64,
        file_bytes: [usize; 2],
        file_ratio: f64,
        largest_difference: f64,
        mean_difference: f64,
        loss: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<serde_json::Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<serde_json::Value>,
    }
    let words = |score: &Score| -> serde_json::Value {
        score.measures().map(|(measure, value)| (measure.name(), value)).collect()
    };
    let [before, after] = match &found.scores {
        Some([before, after]) => [Some(words(before)), Some(words(after))],
        None => [None, None],
    };
    output::json(&Report {
        digest: found.artifact.digest().to_string(),
        rows,
        weight_bytes: found.weight_bytes,
        weight_ratio: ratio(found.weight_bytes),
        file_bytes: found.file_bytes,
        file_ratio: ratio(found.file_bytes),
        largest_difference: found.largest_difference,
        mean_difference: found.mean_difference,
        loss: found.loss(),
        before,
        after,
    })
}
