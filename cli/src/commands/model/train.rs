//! `sealgate model train`: from a table to an artifact.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Args;
use sealgate_model_builder::{
    CrossValidation, Dataset, Roc, Spread, Stopping, Target, Trained, Training, cross_validate,
    learning_curve_svg, roc_svg, train, wdbc,
};
use serde::Serialize;

use crate::error::CliError;
use crate::progress::Progress;
use crate::state::{files, model};
use crate::{Verdict, output};

/// Train a model and write its artifact
///
/// First says how well training works on rows it has not seen: mean and spread of accuracy and area
/// under the ROC curve, or of the root of the mean squared error, over stratified 5-fold
/// cross-validation with 3 fixed seeds. Then trains on all rows, or with `--patience` on those that
/// are not held back. The same data, seed and build give the same file. Without `--data` it trains on the
/// data set that comes with the program: Breast Cancer Wisconsin (Diagnostic), CC BY 4.0.
#[derive(Args)]
pub(crate) struct Options {
    /// CSV file with a header; every column but the target's is a feature
    #[arg(long, value_name = "CSV", requires = "target")]
    data: Option<PathBuf>,
    /// Column that is learned
    #[arg(long, value_name = "COL", requires = "data")]
    target: Option<String>,
    /// The column has two classes, and the model answers the probability of this one [default: the
    /// probability of each class]
    #[arg(long, value_name = "LABEL", requires = "data")]
    positive: Option<String>,
    /// The column has numbers, in this unit; `1` where there is none
    #[arg(long, value_name = "UNIT", requires = "data", conflicts_with = "positive")]
    regression: Option<String>,
    /// The model's name in its manifest [default: breast-cancer, or the name of the CSV file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What the first weights and the order of the rows are drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,
    /// How often each row is seen, at most
    #[arg(long, value_name = "N", default_value_t = Training::default().epochs)]
    epochs: u32,
    /// Stop after so many epochs that brought nothing to rows that are held back, and keep the best
    #[arg(long, value_name = "N")]
    patience: Option<u32>,
    /// The share of each class's rows that is held back for `--patience`
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, requires = "patience")]
    validation_share: f32,
    /// Folder for `model.safetensors`, `learning-curve.svg` and `roc.svg`
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Train at once, without the cross-validation
    #[arg(long)]
    skip_validation: bool,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let data = dataset(options)?;
    let stopping = options.patience.map(|patience_epochs| Stopping {
        validation_share: options.validation_share,
        patience_epochs,
    });
    let training = Training {
        model: name(options),
        seed: options.seed,
        epochs: options.epochs,
        stopping,
        ..Training::default()
    };
    let validation = match options.skip_validation {
        true => None,
        false => Some(validate(&data, &training)?),
    };
    if let (Some(found), false) = (&validation, options.json) {
        for (measure, found) in &found.measures {
            output::line(format_args!("{:<8}  {}", measure.name(), spread(found)))?;
        }
    }
    let trained = fit(&data, &training)?;
    files::private_dir(&options.out)?;
    let path = options.out.join("model.safetensors");
    files::replace(&path, &trained.file)?;
    let roc = validation.as_ref().and_then(|found| found.roc.as_ref()).or(trained.roc.as_ref());
    pictures(options, &trained, roc)?;
    let digest = trained.artifact.digest().to_string();
    if options.json {
        let path = std::path::absolute(&path).map_err(CliError::io("find", path))?;
        let validation = validation.as_ref().map(Validation::of);
        output::json(&Report { digest, path, rows: data.rows(), seed: options.seed, validation })?;
    } else {
        output::line(format_args!("digest    {digest}"))?;
        output::line(format_args!("wrote     {}", path.display()))?;
    }
    Ok(Verdict::Well)
}

/// Beside the artifact: how the loss went, and how well classes are told apart on rows that were
/// held back, if any were.
fn pictures(options: &Options, trained: &Trained, roc: Option<&Roc>) -> Result<(), CliError> {
    let path = options.out.join("learning-curve.svg");
    files::replace(&path, learning_curve_svg(&trained.curve).as_bytes())?;
    let path = options.out.join("roc.svg");
    match roc {
        Some(roc) => files::replace(&path, roc_svg(roc).as_bytes()),
        // That of another model must not lie beside this one.
        None => match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(CliError::io("remove", path)(error))
            }
            _ => Ok(()),
        },
    }
}

fn dataset(options: &Options) -> Result<Dataset, CliError> {
    let (Some(path), Some(column)) = (&options.data, &options.target) else {
        return Ok(wdbc()?);
    };
    let target = match (&options.positive, &options.regression) {
        (Some(positive), _) => Target::new(column, positive),
        (None, Some(unit)) => Target::numbers(column, unit),
        (None, None) => Target::classes(column),
    };
    let file = File::open(path).map_err(CliError::io("open", path))?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Dataset::from_csv(&name, file, &target)?)
}

/// A manifest's names are of `a-z 0-9 . _ -`; the name of a file may be anything.
fn name(options: &Options) -> String {
    if let Some(name) = &options.name {
        return name.clone();
    }
    let Some(path) = &options.data else { return model::NAME.to_owned() };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase());
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = stem.unwrap_or_default().chars().map(plain).take(64).collect();
    if name.is_empty() { "model".to_owned() } else { name }
}

fn validate(data: &Dataset, training: &Training) -> Result<CrossValidation, CliError> {
    let bar = Progress::new("validating");
    let found = cross_validate(data, training, FOLDS, &SEEDS, &mut |step| {
        bar.at(step.epochs_done.into(), step.epochs_total.into());
    })?;
    Ok(found)
}

fn fit(data: &Dataset, training: &Training) -> Result<Trained, CliError> {
    let bar = Progress::new("training");
    let trained = train(data, training, &mut |step| {
        bar.at(step.epochs_done.into(), step.epochs_total.into());
    })?;
    Ok(trained)
}

fn spread(of: &Spread) -> String {
    let trainings = FOLDS * SEEDS.len();
    format!(
        "{:.4} +- {:.4} ({FOLDS}-fold x {} seeds, {trainings} trainings)",
        of.mean,
        of.std,
        SEEDS.len()
    )
}

#[derive(Serialize)]
struct Report {
    digest: String,
    path: PathBuf,
    rows: usize,
    seed: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation: Option<Validation>,
}

#[derive(Serialize)]
struct Validation {
    folds: usize,
    seeds: [u32; 3],
    #[serde(flatten)]
    measures: BTreeMap<&'static str, MeanAndStd>,
}

#[derive(Serialize)]
struct MeanAndStd {
    mean: f64,
    std: f64,
}

impl Validation {
    fn of(found: &CrossValidation) -> Self {
        let both = |spread: Spread| MeanAndStd { mean: spread.mean, std: spread.std };
        let measures = found.measures.iter().map(|(of, spread)| (of.name(), both(*spread)));
        Self { folds: FOLDS, seeds: SEEDS, measures: measures.collect() }
    }
}

const FOLDS: usize = 5;
const SEEDS: [u32; 3] = [1, 2, 3];
