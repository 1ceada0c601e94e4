//! `sealgate keys generate`: an operator's key, or one for model files.

use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_keys::Secret;
use sealgate_keys::at_rest::{KekProvider, KeyFileKek};

use crate::error::CliError;
use crate::{Verdict, output, signing_key};

/// Make an operator's key or a key for model files, and print what is public of it
///
/// The file holds an Ed25519 key (PKCS#8) that only its owner can read. A worker whose
/// `[evidence]` names the file shows evidence under this key; clients and gateways pin the printed
/// half. Whoever can read the file can vouch for any worker.
///
/// With `--kek` it holds 32 random bytes, with which `sealgate model seal` wraps the keys of model
/// files; their id is printed. Keep a copy elsewhere: without the key its models do not open.
#[derive(Args)]
pub(crate) struct Options {
    /// File for the key; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Make a key-encryption key for model files
    #[arg(long)]
    kek: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    match options.kek {
        true => output::line(kek(&options.out)?)?,
        false => output::line(signing_key::create(&options.out)?.encode())?,
    }
    Ok(Verdict::Well)
}

/// The id of a new KEK, as it is read back from its file.
fn kek(path: &Path) -> Result<String, CliError> {
    let secret = Secret::random().map_err(|_| CliError::Randomness)?;
    signing_key::write_new(path, secret.expose())?;
    Ok(KeyFileKek::read(path)?.id().unwrap_or_default().to_owned())
}
