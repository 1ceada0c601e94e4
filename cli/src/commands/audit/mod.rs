//! `sealgate audit`: what a reviewer asks of a log.

mod asked;
mod export;
mod filter;
mod index;
mod prove;
mod pseudonym;
mod query;
mod recover;
mod serve;
mod show;
mod tail;
mod verify;

pub(crate) use asked::Asked;
use clap::Subcommand;

use crate::Verdict;
use crate::error::CliError;

/// Look after audit logs
#[derive(Subcommand)]
pub(crate) enum Command {
    Verify(verify::Options),
    Index(index::Options),
    Query(query::Options),
    Tail(tail::Options),
    Show(show::Options),
    Export(export::Options),
    Prove(prove::Options),
    Recover(recover::Options),
    Pseudonym(pseudonym::Pseudonym),
    Forget(pseudonym::Forget),
    Serve(serve::Options),
}

pub(crate) fn run(command: &Command) -> Result<Verdict, CliError> {
    match command {
        Command::Verify(options) => verify::run(options),
        Command::Index(options) => index::run(options),
        Command::Query(options) => query::run(options),
        Command::Tail(options) => tail::run(options),
        Command::Show(options) => show::run(options),
        Command::Export(options) => export::run(options),
        Command::Prove(options) => prove::run(options),
        Command::Recover(options) => recover::run(options),
        Command::Pseudonym(options) => pseudonym::pseudonym(options),
        Command::Forget(options) => pseudonym::forget(options),
        Command::Serve(options) => serve::run(options),
    }
}
