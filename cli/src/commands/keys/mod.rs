//! `sealgate keys`: what a worker's keys were found to be, and keys of one's own.

mod generate;
mod show;

use clap::{Args, Subcommand};

use crate::Verdict;
use crate::error::CliError;

/// Judge the keys that a running demo seals to
///
/// Fetches the worker's keyset with fresh evidence and says what was verified, what rests on the
/// worker's own word and what nobody checked. Nothing is sealed or sent. Exit code 1 when
/// `sealgate infer --sealed` with the same options would refuse the keys.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    show: show::ShowOptions,
}

#[derive(Subcommand)]
enum Command {
    Generate(generate::Options),
}

pub(crate) fn run(options: &Options) -> Result<Verdict, CliError> {
    match &options.command {
        Some(Command::Generate(options)) => generate::run(options),
        None => show::run(&options.show),
    }
}
