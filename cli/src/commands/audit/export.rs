//! `sealgate audit export`: requests for other programs.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealgate_review::export;

use super::asked::Asked;
use super::filter::Filters;
use crate::error::CliError;
use crate::{Verdict, output};

/// Write requests for other programs, the oldest first
///
/// An export is for finding and counting: it is made from the index and proves nothing. Each line
/// has the number of its record in the log.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    /// `ocsf`: Open Cybersecurity Schema Framework 1.9.0, API Activity, one JSON event per line;
    /// `csv`: RFC 4180, cells that a spreadsheet would take for formulas begin with an apostrophe
    #[arg(long)]
    format: Format,
    #[command(flatten)]
    filters: Filters,
    /// File to write, which must not be there yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "lower")]
enum Format {
    Ocsf,
    Csv,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let (index, verdict) = options.asked.refreshed()?;
    let format = match options.format {
        Format::Ocsf => export::Format::Ocsf,
        Format::Csv => export::Format::Csv,
    };
    let mut out = BufWriter::new(destination(options)?);
    let written = index.export(&options.filters.filter(), format, &mut out, &mut |_| {})?;
    if let Some(path) = &options.out {
        output::note(format_args!("wrote {written} requests to `{}`", path.display()));
    }
    Ok(verdict)
}

/// It names callers, so only its owner may read it.
fn destination(options: &Options) -> Result<Box<dyn Write>, CliError> {
    let Some(path) = &options.out else { return Ok(Box::new(io::stdout().lock())) };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok(Box::new(file.map_err(CliError::io("create", path))?))
}
