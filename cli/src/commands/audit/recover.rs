//! `sealgate audit recover`: a new log after one that is damaged.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use sealgate_audit::{
    CheckpointKey, Log, Options as LogOptions, Origin, PreviousLog, VerifyOptions, verify,
};

use super::verify::text;
use crate::clock::now_us;
use crate::error::CliError;
use crate::progress::Progress;
use crate::{Verdict, output};

/// Begin a new log that goes on from a damaged one
///
/// The damaged log is read and left as it is: keep it, it is evidence. The first record of the new
/// one names the key of the old one, and the root and size under its last checkpoint that held. Then
/// move the old folder away and the new one to its place: orders in force, limits and pseudonyms are
/// kept beside the folder, by its name. Move the copy of the old log's checkpoint away, too. A log
/// that was put back as it was once is whole in itself: only `--since` shows what is wrong with it.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the damaged log
    dir: PathBuf,
    /// Folder of the new log, which must not hold one
    #[arg(long, value_name = "DIR")]
    new_log: PathBuf,
    /// The key that signs the new log (PKCS#8); made when missing
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Name of the new log [default: that of the old one]
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// File with the copy of the damaged log's checkpoint that was kept elsewhere
    #[arg(long, value_name = "CHECKPOINT")]
    since: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    if options.new_log.read_dir().is_ok_and(|mut files| files.next().is_some()) {
        return Err(CliError::LogExists { dir: options.new_log.clone() });
    }
    let bar = Progress::new("verifying");
    let mut tell = |done, total| bar.at(done, total);
    let outside_checkpoint = options.since.as_ref().map(text).transpose()?;
    let against = VerifyOptions { outside_checkpoint, ..VerifyOptions::default() };
    let report = verify(&options.dir, &against, &mut tell)?;
    drop(bar);
    if report.live {
        return Err(CliError::LogInUse { dir: options.dir.clone() });
    }
    if report.is_well() {
        return Err(CliError::LogIsWell { dir: options.dir.clone() });
    }
    let (Some(old), Some(checkpoint)) = (&report.key, report.checkpoint) else {
        return Err(CliError::NothingHolds { dir: options.dir.clone() });
    };
    let origin = match &options.origin {
        Some(name) => Origin::new(name)?,
        None => old.origin().clone(),
    };
    let previous = PreviousLog {
        key: old.to_string().into(),
        root: hex::encode(checkpoint.root).into(),
        size: checkpoint.size,
    };
    let log =
        LogOptions { previous_log: Some(previous), ..LogOptions::new(&options.new_log, origin) };
    let key = CheckpointKey::load_or_create(&options.key)?;
    Log::open(log, key, Arc::new(now_us))?.0.close()?;
    let (new, size) = (options.new_log.display(), checkpoint.size);
    output::line(format_args!("`{new}` goes on from {size} records that a checkpoint covers"))?;
    for finding in &report.findings {
        output::line(format_args!("left behind  {finding}"))?;
    }
    Ok(Verdict::Well)
}
