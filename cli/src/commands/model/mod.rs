//! `sealgate model`: artifacts, without any server.

pub(crate) mod artifact;
mod inspect;
mod run;
mod train;

use clap::Subcommand;

use crate::Verdict;
use crate::error::CliError;

/// Train, inspect and run models
#[derive(Subcommand)]
pub(crate) enum Command {
    Train(train::Options),
    Inspect(inspect::Options),
    Run(run::Options),
}

pub(crate) fn run(command: &Command) -> Result<Verdict, CliError> {
    match command {
        Command::Train(options) => train::run(options),
        Command::Inspect(options) => inspect::run(options),
        Command::Run(options) => run::run(options),
    }
}
