//! `sealgate model unseal`: the artifact out of a sealed file.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::keks::Kek;
use super::{artifact, sealed};
use crate::error::CliError;
use crate::state::files;
use crate::{Verdict, output};

/// Open a sealed model file and write its artifact in clear
///
/// The artifact is written whole or not at all, for its owner alone, and has the digest that was
/// sealed with it. Nothing else needs it on a disk: the gateway opens sealed files for its workers.
#[derive(Args)]
pub(crate) struct Options {
    /// The sealed file
    sealed: PathBuf,
    #[command(flatten)]
    kek: Kek,
    /// File for the artifact; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    sealed::free(&options.out)?;
    let kek = options.kek.read()?;
    let bytes = sealed::read(&options.sealed)?;
    let sealed = sealed::parse(&options.sealed, &bytes)?;
    let dek = sealed.unwrap(kek.as_ref()).map_err(CliError::sealed_model(&options.sealed))?;
    let clear = sealed.open(&dek).map_err(CliError::sealed_model(&options.sealed))?;
    let digest = artifact::parse(&options.sealed, clear.expose())?.digest().to_string();
    files::create(&options.out, clear.expose(), |_| Ok(()))?;
    if options.json {
        let path = std::path::absolute(&options.out).map_err(CliError::io("find", &options.out))?;
        output::json(&Report { digest, path })?;
    } else {
        output::line(format_args!("digest      {digest}"))?;
        output::line(format_args!("wrote       {}", options.out.display()))?;
        output::note(format_args!(
            "`{}` is in clear: remove it when you are done with it",
            options.out.display()
        ));
    }
    Ok(Verdict::Well)
}

#[derive(Serialize)]
struct Report {
    digest: String,
    path: PathBuf,
}
