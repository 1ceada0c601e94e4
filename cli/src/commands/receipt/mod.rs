//! `sealgate receipt`: what a receipt proves, without any server.

mod replay;
mod source;
mod verify;

use clap::Subcommand;

use crate::Verdict;
use crate::error::CliError;

/// Verify receipts, and replay what they are of
#[derive(Subcommand)]
pub(crate) enum Command {
    Verify(verify::Options),
    Replay(replay::Options),
}

pub(crate) fn run(command: &Command) -> Result<Verdict, CliError> {
    match command {
        Command::Verify(options) => verify::run(options),
        Command::Replay(options) => replay::run(options),
    }
}
