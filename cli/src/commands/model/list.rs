//! `sealgate model list`: the artifacts in a folder.

use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_model::Artifact;
use serde::Serialize;

use super::artifact;
use crate::error::CliError;
use crate::{Verdict, output};

/// List the artifacts in a folder and those below
///
/// Says of each file what it is, or why it is none; exits with 1 if one is none.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder
    dir: PathBuf,
    /// Print a list for programs
    #[arg(long)]
    json: bool,
}

/// What is said of one file.
#[derive(Serialize)]
struct Entry {
    path: PathBuf,
    #[serde(flatten)]
    found: Found,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Found {
    Artifact { name: String, digest: String, weights: String, bytes: usize, network: String },
    Refused { error: String },
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let entries: Vec<Entry> =
        artifact::below(&options.dir)?.into_iter().map(|path| entry(path, &options.dir)).collect();
    let refused = entries.iter().any(|entry| matches!(entry.found, Found::Refused { .. }));
    match options.json {
        true => output::json(&entries)?,
        false => entries.iter().try_for_each(line)?,
    }
    Ok(if refused { Verdict::NotWell } else { Verdict::Well })
}

fn entry(path: PathBuf, dir: &Path) -> Entry {
    let found = match artifact::read_with_size(&path) {
        Ok((artifact, bytes)) => found(&artifact, bytes),
        Err(error) => Found::Refused { error: output::words(&error).0 },
    };
    let path = path.strip_prefix(dir).map(Path::to_owned).unwrap_or(path);
    Entry { path, found }
}

fn found(artifact: &Artifact, bytes: usize) -> Found {
    let manifest = artifact.manifest();
    let widths = manifest.architecture.iter().map(|layer| layer.units.to_string());
    let network = std::iter::once(manifest.features.len().to_string()).chain(widths);
    Found::Artifact {
        name: manifest.name.clone(),
        digest: artifact.digest().to_string(),
        weights: manifest.weights.to_string(),
        bytes,
        network: network.collect::<Vec<_>>().join("-"),
    }
}

fn line(Entry { path, found }: &Entry) -> Result<(), CliError> {
    let path = path.display();
    match found {
        Found::Artifact { name, digest, weights, bytes, network } => output::line(format_args!(
            "{digest}  {name}  {network}  {weights}  {bytes} bytes  {path}"
        )),
        Found::Refused { error } => output::line(format_args!("refused: {path}: {error}")),
    }
}
