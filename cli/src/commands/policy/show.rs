//! `sealgate policy show`: who may do what.

use clap::Args;

use super::folder::{Asked, Loaded};
use crate::error::CliError;
use crate::{Verdict, output};

/// Tell in words who may do what
///
/// Each rule that permits, with whom, what, which models, on which conditions and how much; then
/// each rule that forbids; then the models.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    /// Print it for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let Loaded { folder, policy } = options.asked.load()?;
    let shown = policy.show(&folder);
    match options.json {
        true => output::json(&shown)?,
        false => output::line(&shown)?,
    }
    Ok(Verdict::Well)
}
