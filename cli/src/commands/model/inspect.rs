//! `sealgate model inspect`: what an artifact says about itself.

use std::path::PathBuf;

use clap::Args;
use sealgate_model::{Activation, Manifest, Provenance, Task};
use serde::Serialize;

use super::artifact;
use crate::error::CliError;
use crate::{Verdict, output};

/// Show what an artifact says about itself
#[derive(Args)]
pub(crate) struct Options {
    /// The model's file, or a folder that holds exactly one
    artifact: PathBuf,
    /// Print digest and manifest for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let artifact = artifact::read(&options.artifact)?;
    let manifest = artifact.manifest();
    let digest = artifact.digest().to_string();
    let schema_digest = manifest.schema_digest()?.to_string();
    if options.json {
        #[derive(Serialize)]
        struct Report<'a> {
            digest: String,
            schema_digest: String,
            manifest: &'a Manifest,
        }
        output::json(&Report { digest, schema_digest, manifest })?;
        return Ok(Verdict::Well);
    }
    output::line(format_args!("name          {}", manifest.name))?;
    output::line(format_args!("digest        {digest}"))?;
    output::line(format_args!("schema        {schema_digest}"))?;
    output::line(format_args!("architecture  {}", architecture(manifest)))?;
    output::line(format_args!(
        "input         {}, FP32 [-1,{}]",
        manifest.input,
        manifest.features.len()
    ))?;
    output::line(format_args!(
        "output        {}, FP32 [-1,{}]",
        manifest.output,
        manifest.outputs()
    ))?;
    output::line(format_args!("answers       {}", answers(manifest)))?;
    output::line(format_args!("provenance    {}", provenance(manifest)))?;
    features(manifest)?;
    Ok(Verdict::Well)
}

fn architecture(manifest: &Manifest) -> String {
    let layers = manifest.architecture.iter().map(|layer| {
        let activation = match layer.activation {
            Activation::Linear => "linear",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            _ => "unknown",
        };
        format!("{} {activation}", layer.units)
    });
    std::iter::once(manifest.features.len().to_string())
        .chain(layers)
        .collect::<Vec<_>>()
        .join(" -> ")
}

fn answers(manifest: &Manifest) -> String {
    match &manifest.task {
        Task::Binary { classes: [negative, other], positive } => {
            format!("probability of `{positive}`, of `{negative}` and `{other}`")
        }
        _ => "unknown".to_owned(),
    }
}

fn provenance(manifest: &Manifest) -> String {
    match &manifest.provenance {
        Provenance::Trained { dataset, seed, epochs, optimiser, engine } => format!(
            "trained on {} rows of `{}` (sha256 {}), seed {seed}, {epochs} epochs of {} {} in batches of {}, by {} {}",
            dataset.rows,
            dataset.name,
            dataset.sha256,
            optimiser.name,
            optimiser.learning_rate,
            optimiser.batch_rows,
            engine.name,
            engine.version,
        ),
        _ => "unknown".to_owned(),
    }
}

fn features(manifest: &Manifest) -> Result<(), CliError> {
    let width =
        manifest.features.iter().map(|feature| feature.name.len()).max().unwrap_or(0).max(7);
    let units =
        manifest.features.iter().map(|feature| feature.unit.len()).max().unwrap_or(0).max(4);
    output::line(format_args!(
        "\n  #  {:width$}  {:units$}  range in training",
        "feature", "unit"
    ))?;
    for (index, feature) in manifest.features.iter().enumerate() {
        let [low, high] = feature.range;
        output::line(format_args!(
            "{index:>3}  {:width$}  {:units$}  {low} to {high}",
            feature.name, feature.unit
        ))?;
    }
    Ok(())
}
