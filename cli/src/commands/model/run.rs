//! `sealgate model run`: scores without a server.

use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use sealgate_model::Model;

use super::artifact;
use crate::commands::scores;
use crate::error::CliError;
use crate::{Verdict, rows};

/// Score rows on this machine, without any server
///
/// Rows are `[[..],..]`, `{"x": [[..],..]}`, a V2 request, or CSV whose header names the features
/// in any order; other columns are let be.
#[derive(Args)]
pub(crate) struct Options {
    /// The model's file, or a folder that holds exactly one
    artifact: PathBuf,
    /// File with the rows
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Print `{"outputs":[[..],..]}`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let artifact = artifact::read(&options.artifact)?;
    let rows = rows::read(&options.input, artifact.manifest())?;
    let outputs = Model::load(&artifact, &Device::flex())?.infer(&rows)?;
    match options.json {
        true => scores::json(&outputs)?,
        false => scores::table(artifact.manifest(), outputs.values())?,
    }
    Ok(Verdict::Well)
}
