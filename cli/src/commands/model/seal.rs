//! `sealgate model seal`: an artifact that lies on a disk for nobody to read.

use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_keys::Cleartext;
use sealgate_keys::at_rest::{self, KekProvider};
use sealgate_model::{ARTIFACT_BYTES_MAX, Artifact};
use serde::Serialize;

use super::keks::{Keks, SealedFor};
use super::{artifact, sealed};
use crate::error::CliError;
use crate::state::files;
use crate::{Verdict, output};

/// Seal a model's file for keys that are to open it
///
/// The file gets a key of its own, which each of the given keys wraps; any one of them opens it.
/// Before the command says that the file is sealed it has read it back from the disk and opened it
/// with every key. The artifact itself stays where it is: removing it is up to you.
#[derive(Args)]
pub(crate) struct Options {
    /// The model's file, or a folder that holds exactly one
    artifact: PathBuf,
    #[command(flatten)]
    keks: Keks,
    /// The sealed file; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    sealed::free(&options.out)?;
    let keks = options.keks.read()?;
    let path = artifact::find(&options.artifact)?;
    let clear = Cleartext::new(artifact::bytes(&path, ARTIFACT_BYTES_MAX)?);
    // What no worker would load is not worth a seal.
    let artifact = artifact::parse(&path, clear.expose())?;
    let keks: Vec<&dyn KekProvider> = keks.iter().map(AsRef::as_ref).collect();
    let file =
        at_rest::seal(clear.expose(), &keks).map_err(CliError::sealed_model(&options.out))?;
    files::create(&options.out, &file, |written| opens(&options.out, written, &keks, &clear))?;
    tell(options, &path, &artifact, &file)?;
    Ok(Verdict::Well)
}

/// What was written opens with each of the keys, to what was sealed.
fn opens(
    path: &Path,
    written: &[u8],
    keks: &[&dyn KekProvider],
    clear: &Cleartext,
) -> Result<(), CliError> {
    let sealed = sealed::parse(path, written)?;
    for kek in keks {
        let dek = sealed.unwrap(*kek).map_err(CliError::sealed_model(path))?;
        let opened = sealed.open(&dek).map_err(CliError::sealed_model(path))?;
        if opened.expose() != clear.expose() {
            return Err(CliError::WrittenOtherwise { path: path.to_owned() });
        }
    }
    Ok(())
}

fn tell(options: &Options, clear: &Path, artifact: &Artifact, file: &[u8]) -> Result<(), CliError> {
    let sealed = sealed::parse(&options.out, file)?;
    let digest = artifact.digest().to_string();
    if options.json {
        let absolute = |path: &Path| std::path::absolute(path).map_err(CliError::io("find", path));
        return output::json(&Report {
            bytes: sealed.clear_bytes(),
            clear: absolute(clear)?,
            digest,
            path: absolute(&options.out)?,
            sealed_for: SealedFor::of(sealed.wraps()),
        });
    }
    output::line(format_args!("digest      {digest}"))?;
    sealed::tell(&sealed)?;
    output::line(format_args!("wrote       {}", options.out.display()))?;
    output::note(format_args!(
        "`{}` is still there in clear: remove it, and its copies, when the sealed file is in its place",
        clear.display()
    ));
    Ok(())
}

#[derive(Serialize)]
struct Report {
    bytes: usize,
    clear: PathBuf,
    digest: String,
    path: PathBuf,
    sealed_for: Vec<SealedFor>,
}
