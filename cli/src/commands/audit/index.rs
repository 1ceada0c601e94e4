//! `sealgate audit index`: makes or refreshes the index of a log.

use clap::Args;
use serde::Serialize;

use super::asked::{Asked, verdict};
use crate::error::CliError;
use crate::progress::Progress;
use crate::{Verdict, output};

/// Make or refresh the index that questions to a log are answered from
///
/// The index is derived from the log and proves nothing; it may be deleted at any time. Questions
/// refresh it by themselves, so this is for the first time, which takes longest, and for making it
/// anew. Whether the log is whole is for `sealgate audit verify` to say.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    /// Make it anew
    #[arg(long)]
    rebuild: bool,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    added: u64,
    anew: bool,
    whole: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let mut index = options.asked.open()?;
    let bar = Progress::new("indexing");
    let mut progress = |done, total| bar.at(done, total);
    let refreshed = match options.rebuild {
        true => index.rebuild(&mut progress)?,
        false => index.refresh(&mut progress)?,
    };
    drop(bar);
    let verdict = verdict(&refreshed);
    let (added, anew) = (refreshed.added, refreshed.anew);
    if options.json {
        output::json(&Report { added, anew, whole: refreshed.damage.is_none() })?;
    } else if anew {
        output::line(format_args!("indexed {added} records"))?;
    } else {
        output::line(format_args!("indexed {added} more records"))?;
    }
    Ok(verdict)
}
