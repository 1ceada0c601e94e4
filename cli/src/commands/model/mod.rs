//! `sealgate model`: artifacts, without any server.

pub(crate) mod artifact;
mod compress;
mod import;
mod inspect;
mod keks;
mod list;
mod rewrap;
mod run;
mod seal;
mod sealed;
mod split;
mod train;
mod unseal;
mod verify;

use clap::Subcommand;

use crate::Verdict;
use crate::error::CliError;

/// Train, import, compress, split, inspect, run and seal models
#[derive(Subcommand)]
pub(crate) enum Command {
    Train(train::Options),
    Import(import::Options),
    Compress(compress::Options),
    Split(split::Options),
    List(list::Options),
    Inspect(inspect::Options),
    Run(run::Options),
    Verify(verify::Options),
    Seal(seal::Options),
    Unseal(unseal::Options),
    Rewrap(rewrap::Options),
}

pub(crate) fn run(command: &Command) -> Result<Verdict, CliError> {
    match command {
        Command::Train(options) => train::run(options),
        Command::Import(options) => import::run(options),
        Command::Compress(options) => compress::run(options),
        Command::Split(options) => split::run(options),
        Command::List(options) => list::run(options),
        Command::Inspect(options) => inspect::run(options),
        Command::Run(options) => run::run(options),
        Command::Verify(options) => verify::run(options),
        Command::Seal(options) => seal::run(options),
        Command::Unseal(options) => unseal::run(options),
        Command::Rewrap(options) => rewrap::run(options),
    }
}
