//! `sealgate model inspect`: what an artifact says about itself, or a sealed file.

use std::path::PathBuf;

use clap::Args;
use sealgate_keys::at_rest::{SEALED_BYTES_MAX, is_sealed};
use sealgate_model::{EarlyStopping, Manifest, Provenance, Quantity, Task};
use serde::Serialize;

use super::{artifact, sealed};
use crate::error::CliError;
use crate::{Verdict, output};

/// Show what an artifact says about itself
///
/// Of a sealed file, what needs no key: the digest and the size of its artifact, and the keys that
/// open it. A sealed file is believed once it opens.
#[derive(Args)]
pub(crate) struct Options {
    /// The model's file, or a folder that holds exactly one
    artifact: PathBuf,
    /// Print digest and manifest for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let path = artifact::find(&options.artifact)?;
    let bytes = artifact::bytes(&path, SEALED_BYTES_MAX)?;
    if is_sealed(&bytes) {
        sealed::inspect(&sealed::parse(&path, &bytes)?, options.json)?;
        return Ok(Verdict::Well);
    }
    let artifact = artifact::parse(&path, &bytes)?;
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
    output::line(format_args!("weights       {}", manifest.weights))?;
    output::line(format_args!("answers       {}", answers(manifest)))?;
    output::line(format_args!("provenance    {}", provenance(&manifest.provenance)))?;
    features(manifest)?;
    Ok(Verdict::Well)
}

pub(super) fn architecture(manifest: &Manifest) -> String {
    let layers =
        manifest.architecture.iter().map(|layer| format!("{} {}", layer.units, layer.activation));
    std::iter::once(manifest.features.len().to_string())
        .chain(layers)
        .collect::<Vec<_>>()
        .join(" -> ")
}

pub(super) fn answers(manifest: &Manifest) -> String {
    match &manifest.task {
        Task::Binary { classes: [negative, other], positive } => {
            format!("probability of `{positive}`, of `{negative}` and `{other}`")
        }
        Task::Multiclass { .. } => {
            format!("probabilities of classes, one of which is right: {}", names(manifest))
        }
        Task::Multilabel { .. } => {
            format!("probabilities of labels, any of which are right: {}", names(manifest))
        }
        Task::Regression { targets } => {
            let quantity = |Quantity { name, unit }: &Quantity| format!("`{name}` in {unit}");
            targets.iter().map(quantity).collect::<Vec<_>>().join(", ")
        }
        _ => "unknown".to_owned(),
    }
}

fn names(manifest: &Manifest) -> String {
    manifest.task.names().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn provenance(provenance: &Provenance) -> String {
    match provenance {
        Provenance::Trained { dataset, seed, epochs, optimiser, engine, early_stopping } => {
            format!(
                "trained on {} rows of `{}` (sha256 {}), seed {seed}, {epochs} epochs{} of {} {} in batches of {}, by {} {}",
                dataset.rows,
                dataset.name,
                dataset.sha256,
                early_stopping.map(stopped).unwrap_or_default(),
                optimiser.name,
                optimiser.learning_rate,
                optimiser.batch_rows,
                engine.name,
                engine.version,
            )
        }
        Provenance::Imported { format, sha256, producer } => {
            format!("imported from {format} (sha256 {sha256}), written by {producer}")
        }
        Provenance::Compressed { of, from, original } => {
            format!("compressed from {from} (digest {of}); {}", self::provenance(original))
        }
        _ => "unknown".to_owned(),
    }
}

fn stopped(stopping: EarlyStopping) -> String {
    let EarlyStopping { validation_rows, patience_epochs, kept_epoch } = stopping;
    format!(
        " at most (epoch {kept_epoch} kept, the best on {validation_rows} other rows, patience {patience_epochs})"
    )
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
        let range = match feature.range {
            Some([low, high]) => format!("{low} to {high}"),
            None => "unknown".to_owned(),
        };
        output::line(format_args!(
            "{index:>3}  {:width$}  {:units$}  {range}",
            feature.name, feature.unit
        ))?;
    }
    Ok(())
}
