//! `sealgate audit verify`: whether a log is whole.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use sealgate_audit::{Report, VerifierKey, VerifyOptions, verify};
use serde::Serialize;

use crate::error::CliError;
use crate::progress::Progress;
use crate::{Verdict, output};

/// Find out whether an audit log is whole
///
/// Reads every byte of the log and changes none; the gateway may be writing it meanwhile. Exit code
/// 0 only when nothing is wrong. Without `--key` the log's own word for its key is taken; without
/// `--since` nobody can tell whether its end was cut off.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the log
    dir: PathBuf,
    #[command(flatten)]
    against: Against,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

/// What a log is held against.
#[derive(Args)]
pub(super) struct Against {
    /// File with the verifier key (`name+hash+base64`) that must have signed the log
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// File with a checkpoint of this log that was kept elsewhere
    #[arg(long, value_name = "CHECKPOINT")]
    since: Option<PathBuf>,
}

impl Against {
    pub(super) fn read(&self) -> Result<VerifyOptions, CliError> {
        Ok(VerifyOptions {
            pinned_key: self.key.as_ref().map(verifier_key).transpose()?,
            outside_checkpoint: self.since.as_ref().map(text).transpose()?,
        })
    }
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let against = options.against.read()?;
    let bar = Progress::new("verifying");
    let report = verify(&options.dir, &against, &mut |done, total| bar.at(done, total))?;
    drop(bar);
    match options.json {
        true => write(&report)?,
        false => tell(options, &report)?,
    }
    Ok(if report.is_well() { Verdict::Well } else { Verdict::NotWell })
}

pub(super) fn verifier_key(path: &PathBuf) -> Result<VerifierKey, CliError> {
    Ok(text(path)?.trim().parse()?)
}

pub(super) fn text(path: &PathBuf) -> Result<String, CliError> {
    fs::read_to_string(path).map_err(CliError::io("read", path))
}

fn tell(options: &Options, report: &Report) -> Result<(), CliError> {
    let Report { first_record, records, checkpoints, unsigned_records, unended, .. } = report;
    output::line(format_args!(
        "records      {records}, {unsigned_records} behind the last checkpoint"
    ))?;
    output::line(format_args!("checkpoints  {checkpoints}"))?;
    if *first_record > 0 {
        output::line(format_args!("dropped      the records before {first_record}"))?;
    }
    if unended.count > 0 {
        let first: Vec<_> = unended.first.iter().map(ToString::to_string).collect();
        let (count, first) = (unended.count, first.join(", "));
        output::line(format_args!("no outcome   {count} allowed requests, the first: {first}"))?;
    }
    if let Some(checkpoint) = &report.checkpoint {
        let root = hex::encode(checkpoint.root);
        output::line(format_args!("root         {root} over {} records", checkpoint.size))?;
    }
    if let Some(key) = &report.key {
        let pinned = if report.key_is_pinned { "as pinned" } else { "by the log's own word" };
        // Whole, as `--key` takes it.
        output::line(format_args!("key          {key}"))?;
        output::line(format_args!("             {pinned}"))?;
    }
    if report.live {
        output::line("state        a gateway is writing it")?;
    }
    for finding in &report.findings {
        output::line(format_args!("wrong        {finding}"))?;
    }
    if report.findings_dropped > 0 {
        output::line(format_args!("wrong        and {} more", report.findings_dropped))?;
    }
    let verdict = if report.is_well() { "well" } else { "not well" };
    output::line(format_args!("`{}` is {verdict}", options.dir.display()))
}

fn write(report: &Report) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Words {
        well: bool,
        first_record: u64,
        records: u64,
        unsigned_records: u64,
        unended_requests: u64,
        checkpoints: u64,
        size: Option<u64>,
        root: Option<String>,
        key: Option<String>,
        key_id: Option<String>,
        key_is_pinned: bool,
        live: bool,
        bytes: u64,
        findings: Vec<Found>,
        findings_dropped: u64,
    }
    #[derive(Serialize)]
    struct Found {
        file: String,
        offset: u64,
        record: u64,
        what: String,
        torn_tail: bool,
    }
    let findings = report.findings.iter().map(|finding| Found {
        file: finding.file.clone(),
        offset: finding.offset,
        record: finding.record,
        what: finding.what.to_string(),
        torn_tail: finding.is_torn_tail(),
    });
    output::json(&Words {
        well: report.is_well(),
        first_record: report.first_record,
        records: report.records,
        unsigned_records: report.unsigned_records,
        unended_requests: report.unended.count,
        checkpoints: report.checkpoints,
        size: report.checkpoint.map(|checkpoint| checkpoint.size),
        root: report.root().map(hex::encode),
        key: report.key.as_ref().map(ToString::to_string),
        key_id: report.key.as_ref().map(VerifierKey::id),
        key_is_pinned: report.key_is_pinned,
        live: report.live,
        bytes: report.bytes,
        findings: findings.collect(),
        findings_dropped: report.findings_dropped,
    })
}
