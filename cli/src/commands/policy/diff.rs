//! `sealgate policy diff`: recorded decisions under another folder.

use std::path::PathBuf;

use clap::Args;
use sealgate_policies::{Replay, Tally};

use super::folder::Loaded;
use super::log::{self, Logged};
use crate::error::CliError;
use crate::{Verdict, output};

/// List the recorded decisions that another policy folder would change
///
/// Decides every decision in an audit log again, by the old folder, which must be the one that
/// made them, and by the new one. What a rule needs and the record lacks, such as the exact
/// address, leaves a case undetermined: it is never taken for the same. Where the gateway had the
/// new folder as its `candidate/`, what it saw counts, and nothing is undetermined. Whether the log is whole
/// is for `sealgate audit verify` to say. Exit code 0 only when every decision stays the same.
#[derive(Args)]
pub(crate) struct Options {
    /// The policy folder that made the decisions
    old: PathBuf,
    /// The policy folder to compare it with [default: the `candidate/` of OLD]
    new: Option<PathBuf>,
    /// Folder of the audit log
    #[arg(long, value_name = "AUDITDIR")]
    log: PathBuf,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let old = Loaded::at(&options.old)?;
    let new = match &options.new {
        Some(new) => Loaded::at(new)?,
        None => Loaded::candidate_of(&options.old)?,
    };
    let replay = Replay::new((&old.policy, &old.folder), (&new.policy, &new.folder));
    let mut tally = Tally::default();
    let (old_digest, new_digest) = (old.policy.digest().hex(), new.policy.digest().hex());
    for logged in log::decisions(&options.log)? {
        let Logged { recorded, watched } = logged?;
        // What the gateway saw with the whole request before it needs no guess.
        let seen = watched.filter(|watched| {
            watched.candidate == new_digest && recorded.policy_digest == old_digest
        });
        let compared = seen.map_or_else(|| replay.compare(&recorded), |watched| watched.compared);
        tally.count(&recorded, compared);
    }
    match options.json {
        true => output::json(&tally)?,
        false => output::line(&tally)?,
    }
    let same = tally.changed.is_empty() && tally.undetermined == 0;
    Ok(if same { Verdict::Well } else { Verdict::NotWell })
}
