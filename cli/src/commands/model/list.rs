//! `sealgate model list`: the models in a folder, whole, sealed or split.

use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_keys::at_rest::{SEALED_BYTES_MAX, is_sealed};
use sealgate_model::split::{PLAN_BYTES_MAX, PLAN_FILE, Part, Plan, part_file};
use sealgate_model::{ARTIFACT_BYTES_MAX, Artifact, Manifest, ModelError};
use serde::Serialize;

use super::keks::SealedFor;
use super::{artifact, sealed};
use crate::error::CliError;
use crate::{Verdict, output};

/// List the models in a folder and those below
///
/// Says of each file what it is: an artifact, a sealed one, the plan or a part of a split model; or why
/// it is none of these, and then exits with 1. Of a sealed file its digest and whom it is sealed for is
/// said: what is in it needs a key. A plan is well if its parts lie beside it.
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
#[serde(tag = "kind", rename_all = "lowercase")]
enum Found {
    Artifact { name: String, digest: String, weights: String, bytes: usize, network: String },
    Sealed { digest: String, bytes: usize, sealed_for: Vec<SealedFor> },
    Plan { name: String, digest: String, parts: usize, network: String },
    Part { name: String, digest: String, part: u32, parts: u32, bytes: usize },
    Refused { error: String },
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let files = artifact::files_below(&options.dir, is_listed)?;
    let entries: Vec<Entry> = files.into_iter().map(|path| entry(path, &options.dir)).collect();
    let refused = entries.iter().any(|entry| matches!(entry.found, Found::Refused { .. }));
    match options.json {
        true => output::json(&entries)?,
        false => entries.iter().try_for_each(line)?,
    }
    Ok(if refused { Verdict::NotWell } else { Verdict::Well })
}

/// Whether a file is called like a model.
fn is_listed(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_plan = path.file_name().is_some_and(|name| name == PLAN_FILE);
    is_plan || matches!(extension, Some("safetensors" | "sealed"))
}

fn entry(path: PathBuf, dir: &Path) -> Entry {
    let found =
        found(&path).unwrap_or_else(|error| Found::Refused { error: output::words(&error).0 });
    let path = path.strip_prefix(dir).map(Path::to_owned).unwrap_or(path);
    Entry { path, found }
}

fn found(path: &Path) -> Result<Found, CliError> {
    if path.file_name().is_some_and(|name| name == PLAN_FILE) {
        return plan(path);
    }
    let bytes = artifact::bytes(path, ARTIFACT_BYTES_MAX.max(SEALED_BYTES_MAX))?;
    if is_sealed(&bytes) {
        let sealed = sealed::parse(path, &bytes)?;
        return Ok(Found::Sealed {
            digest: hex::encode(sealed.digest()),
            bytes: bytes.len(),
            sealed_for: SealedFor::of(sealed.wraps()),
        });
    }
    match Artifact::parse(&bytes) {
        Ok(artifact) => Ok(whole(&artifact, bytes.len())),
        Err(ModelError::IsPart) => part(path, &bytes),
        Err(source) => Err(CliError::Artifact { path: path.to_owned(), source }),
    }
}

fn whole(artifact: &Artifact, bytes: usize) -> Found {
    let manifest = artifact.manifest();
    Found::Artifact {
        name: manifest.name.clone(),
        digest: artifact.digest().to_string(),
        weights: manifest.weights.to_string(),
        bytes,
        network: network(manifest),
    }
}

fn part(path: &Path, bytes: &[u8]) -> Result<Found, CliError> {
    let part = Part::parse(bytes)
        .map_err(|source| CliError::Artifact { path: path.to_owned(), source })?;
    let manifest = part.manifest();
    Ok(Found::Part {
        name: manifest.name.clone(),
        digest: part.digest().to_string(),
        part: manifest.part,
        parts: manifest.parts,
        bytes: bytes.len(),
    })
}

fn plan(path: &Path) -> Result<Found, CliError> {
    let of = |path: &Path| {
        let path = path.to_owned();
        |source| CliError::Artifact { path, source }
    };
    let plan = Plan::parse(&artifact::bytes(path, PLAN_BYTES_MAX)?).map_err(of(path))?;
    for part in 0..plan.parts().len() {
        let file = path.with_file_name(part_file(part));
        let bytes = artifact::bytes(&file, ARTIFACT_BYTES_MAX)?;
        plan.is_part(part, &bytes).map_err(of(&file))?;
    }
    Ok(Found::Plan {
        name: plan.manifest().name.clone(),
        digest: plan.digest().to_string(),
        parts: plan.parts().len(),
        network: network(plan.manifest()),
    })
}

/// How wide its layers are, the inputs first.
fn network(manifest: &Manifest) -> String {
    let widths = manifest.architecture.iter().map(|layer| layer.units.to_string());
    let all = std::iter::once(manifest.features.len().to_string()).chain(widths);
    all.collect::<Vec<_>>().join("-")
}

fn line(Entry { path, found }: &Entry) -> Result<(), CliError> {
    let path = path.display();
    match found {
        Found::Artifact { name, digest, weights, bytes, network } => output::line(format_args!(
            "{digest}  {name}  {network}  {weights}  {bytes} bytes  {path}"
        )),
        Found::Sealed { digest, bytes, sealed_for } => {
            let sealed_for: Vec<_> = sealed_for.iter().map(ToString::to_string).collect();
            let sealed_for = sealed_for.join(", ");
            output::line(format_args!("{digest}  sealed for {sealed_for}  {bytes} bytes  {path}"))
        }
        Found::Plan { name, digest, parts, network } => output::line(format_args!(
            "{digest}  {name}  {network}  split into {parts} parts  {path}"
        )),
        Found::Part { name, digest, part, parts, bytes } => output::line(format_args!(
            "{digest}  {name}  part {part} of 0 to {}  {bytes} bytes  {path}",
            parts.saturating_sub(1)
        )),
        Found::Refused { error } => output::line(format_args!("refused: {path}: {error}")),
    }
}
