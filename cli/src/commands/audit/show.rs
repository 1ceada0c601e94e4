//! `sealgate audit show`: one request's story.

use clap::Args;
use sealgate_audit::Record;
use sealgate_review::story::{Part, words};
use sealgate_review::{inert, instant};

use super::asked::Asked;
use crate::error::CliError;
use crate::{Verdict, output};

/// Tell the story of one request, read from the log
///
/// Every record that names the request, in the order of the log, each with its number, its place and
/// the hash of its leaf: what a proof of inclusion is for.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    /// The gateway's id of the request: the header `sealgate-request-id` of the answer
    request_id: String,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let (index, verdict) = options.asked.refreshed()?;
    let story = index.story(&options.request_id)?;
    output::line(format_args!("request {}", inert(&story.request_id)))?;
    for part in &story.parts {
        tell(part)?;
    }
    Ok(verdict)
}

fn tell(part: &Part) -> Result<(), CliError> {
    output::line("")?;
    tell_record(&part.record)?;
    let (n, file, at) = (part.record.n, &part.file, part.at);
    output::line(format_args!("    {:<16} {n}, `{file}` at byte {at}", "record"))?;
    output::line(format_args!("    {:<16} {}", "leaf", part.leaf))
}

/// When and what, and below it what else the record says.
pub(super) fn tell_record(record: &Record) -> Result<(), CliError> {
    let words = words(&record.event);
    output::line(format_args!("{}  {}", instant(record.time_us), inert(&words.title)))?;
    for (name, value) in &words.facts {
        output::line(format_args!("    {name:<16} {}", inert(value)))?;
    }
    Ok(())
}
