//! `sealgate`: what a person types.
//!
//! Each command is a module under `commands` or, for the longest, `demo`. A command's life:
//! the arguments are parsed, it runs, and its end becomes an exit code: 0 well, 64 bad usage,
//! 78 bad configuration or something missing, 1 otherwise.
//!
//! What is absent: the gateway and the worker. The demo starts them as processes.

mod arguments;
mod asking;
mod clock;
mod commands;
mod date;
mod demo;
mod error;
mod findings;
mod output;
mod pools;
mod progress;
mod rows;
mod siblings;
mod signing_key;
mod state;
mod table;
mod trust;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;
use error::CliError;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => return explain(&message),
    };
    match run(arguments.command) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::NotWell) => ExitCode::FAILURE,
        Err(error) => {
            output::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command) -> Result<Verdict, CliError> {
    match command {
        Command::Demo(options) => demo::run(&options),
        Command::Token(options) => commands::token::run(&options),
        Command::Infer(options) => commands::infer::run(&options),
        Command::Keys(options) => commands::keys::run(&options),
        Command::Receipt(command) => commands::receipt::run(&command),
        Command::Model(command) => commands::model::run(&command),
        Command::Policy(command) => commands::policy::run(&command),
        Command::Audit(command) => commands::audit::run(&command),
        Command::Usage(options) => commands::usage::run(&options),
        Command::Admin(options) => commands::admin::run(&options),
        Command::Pool(options) => commands::pool::run(&options),
    }
}

/// How a command that could do its work ended.
pub(crate) enum Verdict {
    /// Everything is in order.
    Well,
    /// What it looked at is not, as its report says.
    NotWell,
}

/// Help and version are answers, everything else is bad usage (`EX_USAGE` of sysexits.h).
fn explain(message: &clap::Error) -> ExitCode {
    // Whoever closed the pipe does not want to read it.
    let _ = message.print();
    if message.use_stderr() { ExitCode::from(error::USAGE) } else { ExitCode::SUCCESS }
}
