//! `sealgate audit prove`: that a request stands in a log, to whoever has not got the log.

use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_audit::{AuditError, LogReader, Proof, RequestId};
use sealgate_review::inert;

use super::show::tell_record;
use super::verify::{text, verifier_key};
use crate::error::CliError;
use crate::{Verdict, output};

/// Prove that a request is on record, or check such a proof
///
/// With a log's folder and a request's id: prints the proof as C2SP tlog-proof text, with the record
/// of the decision in it. With `--check`: says whether a proof holds under the log's key, and what
/// the record says; neither log nor gateway is needed.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the log
    #[arg(requires = "request_id", required_unless_present = "check")]
    dir: Option<PathBuf>,
    /// The gateway's id of the request: the header `sealgate-request-id` of the answer
    request_id: Option<String>,
    /// Check the proof in this file
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "dir")]
    check: Option<PathBuf>,
    /// File with the log's verifier key (`name+hash+base64`)
    #[arg(long, value_name = "FILE", requires = "check")]
    key: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    match (&options.check, &options.key, &options.dir, &options.request_id) {
        (Some(proof), Some(key), ..) => check(proof, key),
        (_, _, Some(dir), Some(request_id)) => prove(dir, request_id),
        // The command line's own rules leave nothing else.
        _ => Err(CliError::NoSuchRequest { id: String::new() }),
    }
}

fn prove(dir: &Path, request_id: &str) -> Result<Verdict, CliError> {
    let reader = LogReader::new(dir);
    let unknown = || CliError::NoSuchRequest { id: inert(request_id).to_string() };
    let id = RequestId::parse(request_id).ok_or_else(unknown)?;
    let entry = reader.decision(id)?.ok_or_else(unknown)?;
    match reader.prove(&entry)? {
        Some(proof) => output::line(proof.to_string().trim_end())?,
        None => return Err(CliError::NotYetProved),
    }
    Ok(Verdict::Well)
}

fn check(proof: &PathBuf, key: &PathBuf) -> Result<Verdict, CliError> {
    let proof: Proof = text(proof)?.parse()?;
    let record = match proof.check(&verifier_key(key)?) {
        Ok(record) => record,
        Err(error @ (AuditError::Proof(_) | AuditError::Checkpoint(_))) => {
            output::line(error)?;
            return Ok(Verdict::NotWell);
        }
        Err(error) => return Err(error.into()),
    };
    tell_record(&record)?;
    output::line(format_args!("the proof holds: this is record {} of the log", record.n))?;
    Ok(Verdict::Well)
}
