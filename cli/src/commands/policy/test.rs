//! `sealgate policy test`: what an admin expects, held against what the policy says.

use clap::Args;
use sealgate_policies::{CaseFound, CaseReport, run_cases};
use serde::Serialize;

use super::check::{One, one};
use super::folder::{Asked, Loaded};
use crate::error::CliError;
use crate::{Verdict, output};

/// Run the tests of a policy folder
///
/// Each `[[case]]` in `tests/*.toml` describes a caller by the claims of his token, says what he
/// asks and what must come of it. The gateway runs the same cases before a changed folder takes
/// effect. Exit code 1 when a case finds something else than it expects or cannot be read.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let Loaded { folder, policy } = options.asked.load()?;
    let report = run_cases(&policy, &folder);
    match options.json {
        true => write(&report)?,
        false => output::line(&report)?,
    }
    Ok(if report.is_well() { Verdict::Well } else { Verdict::NotWell })
}

fn write(report: &CaseReport) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Words<'a> {
        well: bool,
        failed: usize,
        mistakes: Vec<One<'a>>,
        cases: &'a [CaseFound],
    }
    output::json(&Words {
        well: report.is_well(),
        failed: report.failed(),
        mistakes: report.mistakes.iter().map(one).collect(),
        cases: &report.cases,
    })
}
