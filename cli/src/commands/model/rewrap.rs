//! `sealgate model rewrap`: a sealed file for another key.

use std::path::PathBuf;

use clap::Args;
use sealgate_keys::at_rest::{self, OldWrap};
use serde::Serialize;

use super::keks::{Kek, NewKek, SealedFor};
use super::sealed;
use crate::error::CliError;
use crate::state::files;
use crate::{Verdict, output};

/// Seal a sealed model file for another key, without opening the model
///
/// The file's own key is unwrapped with the old key and wrapped with the new one; nothing else in
/// the file changes. The file is replaced at once or not at all. Other keys that open it still do.
/// This takes nothing back: whoever has a copy of the file from before and the old key opens it. If
/// a key was lost to somebody, `unseal` the model and `seal` it anew.
#[derive(Args)]
pub(crate) struct Options {
    /// The sealed file, which is replaced
    sealed: PathBuf,
    #[command(flatten)]
    old: Kek,
    #[command(flatten)]
    new: NewKek,
    /// Let the old key open the file as well
    #[arg(long)]
    keep_old: bool,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let (old, new) = (options.old.read()?, options.new.read()?);
    let path = &options.sealed;
    let bytes = sealed::read(path)?;
    let before = sealed::parse(path, &bytes)?;
    let old_wrap = if options.keep_old { OldWrap::Kept } else { OldWrap::Dropped };
    let file = at_rest::rewrap(&before, old.as_ref(), new.as_ref(), old_wrap)
        .map_err(CliError::sealed_model(path))?;
    let after = sealed::parse(path, &file)?;
    files::exchange(path, &file, |written| {
        // A file that the new key does not open must not take the place of one that the old does.
        if written != file {
            return Err(CliError::WrittenOtherwise { path: path.clone() });
        }
        sealed::parse(path, written)?.unwrap(new.as_ref()).map_err(CliError::sealed_model(path))?;
        Ok(())
    })?;
    if options.json {
        let sealed_for = SealedFor::of(after.wraps());
        output::json(&Report { digest: hex::encode(after.digest()), sealed_for })?;
    } else {
        output::line(format_args!("digest      {}", hex::encode(after.digest())))?;
        sealed::tell(&after)?;
        output::line(format_args!("wrote       {}", path.display()))?;
    }
    Ok(Verdict::Well)
}

#[derive(Serialize)]
struct Report {
    digest: String,
    sealed_for: Vec<SealedFor>,
}
