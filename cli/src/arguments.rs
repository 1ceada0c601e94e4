//! The commands there are.

use clap::{Parser, Subcommand};

use crate::commands::{admin, audit, infer, keys, model, policy, pool, receipt, token, usage};
use crate::demo;

/// Runs small neural networks on data that nobody on the way may read
#[derive(Parser)]
#[command(name = "sealgate", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Demo(demo::Options),
    Token(token::Options),
    Infer(Box<infer::Options>),
    Keys(Box<keys::Options>),
    #[command(subcommand)]
    Receipt(Box<receipt::Command>),
    #[command(subcommand)]
    Model(model::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    Usage(Box<usage::Options>),
    Admin(Box<admin::Options>),
    Pool(Box<pool::Options>),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_commands_do_not_contradict_each_other() {
        super::Arguments::command().debug_assert();
    }
}
