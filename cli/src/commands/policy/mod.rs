//! `sealgate policy`: what an admin asks of a policy folder, answered by the code the gateway
//! decides by.

mod caller;
mod check;
mod diff;
mod explain;
mod folder;
mod log;
mod of_model;
mod show;
mod test;
mod token;

use clap::Subcommand;

use crate::Verdict;
use crate::error::CliError;

/// Look after policy folders
#[derive(Subcommand)]
pub(crate) enum Command {
    Check(check::Check),
    Test(test::Options),
    Explain(Box<explain::Options>),
    Diff(diff::Options),
    Show(show::Options),
}

pub(crate) fn run(command: &Command) -> Result<Verdict, CliError> {
    match command {
        Command::Check(options) => check::run(options),
        Command::Test(options) => test::run(options),
        Command::Explain(options) => explain::run(options),
        Command::Diff(options) => diff::run(options),
        Command::Show(options) => show::run(options),
    }
}
