//! `sealgate keys generate`: an operator's key.

use std::path::PathBuf;

use clap::Args;

use crate::error::CliError;
use crate::{Verdict, output, signing_key};

/// Make an operator's key, and print its public half
///
/// The file holds an Ed25519 key (PKCS#8) that only its owner can read. A worker whose
/// `[evidence]` names the file shows evidence under this key; clients and gateways pin the printed
/// half. Whoever can read the file can vouch for any worker.
#[derive(Args)]
pub(crate) struct Options {
    /// File for the key; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    output::line(signing_key::create(&options.out)?.encode())?;
    Ok(Verdict::Well)
}
