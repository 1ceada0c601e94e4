//! The log that is asked, by way of its index.

use std::path::PathBuf;

use clap::Args;
use sealgate_review::{Index, Refreshed, beside};

use crate::error::CliError;
use crate::progress::Progress;
use crate::{Verdict, output};

/// Which log, and where its index lies.
#[derive(Args)]
pub(crate) struct Asked {
    /// Folder of the log
    pub(super) dir: PathBuf,
    /// File of the index, made and refreshed as needed [default: beside DIR, with `-index.sqlite`
    /// added to its name]
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
}

impl Asked {
    /// The file of the index.
    pub(super) fn file(&self) -> PathBuf {
        self.index.clone().unwrap_or_else(|| beside(&self.dir))
    }

    /// The index, as it is.
    pub(super) fn open(&self) -> Result<Index, CliError> {
        Ok(Index::open(&self.dir, &self.file())?)
    }

    /// The index with all that the log has, and whether all of the log could be read.
    pub(crate) fn refreshed(&self) -> Result<(Index, Verdict), CliError> {
        let mut index = self.open()?;
        let bar = Progress::new("indexing");
        let refreshed = index.refresh(&mut |done, total| bar.at(done, total))?;
        drop(bar);
        Ok((index, verdict(&refreshed)))
    }
}

/// Tells of damage: whoever asks a log must know that the answer is not all there is.
pub(super) fn verdict(refreshed: &Refreshed) -> Verdict {
    let Some(damage) = &refreshed.damage else { return Verdict::Well };
    output::note(format_args!("warning: the log cannot be read further than {damage}"));
    output::note("hint: `sealgate audit verify` finds out how far the damage reaches");
    Verdict::NotWell
}
