//! `sealgate model verify`: whether a worker would take an artifact.

use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use sealgate_model::{Digest, Model};
use serde::Serialize;

use super::artifact;
use crate::error::CliError;
use crate::{Verdict, output};

/// Check that an artifact is whole, canonical and computes what it should
///
/// Reads the file as a worker does: form, limits, canonical manifest, finite weights. Then loads
/// the network, lets the engine judge the fused path on rows made from the features' ranges, and
/// scores one row. With `--digest` the file must be that one.
#[derive(Args)]
pub(crate) struct Options {
    /// The model's file, or a folder that holds exactly one
    artifact: PathBuf,
    /// The digest that was promised, 64 hexadecimal digits
    #[arg(long, value_name = "SHA256")]
    digest: Option<String>,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    digest: String,
    schema_digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<Judged>,
}

#[derive(Serialize)]
struct Judged {
    rows: usize,
    difference: f64,
    sums_difference: f64,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let artifact = artifact::read(&options.artifact)?;
    let digest: Digest = artifact.digest();
    if let Some(promised) = options.digest.as_ref().filter(|of| **of != digest.to_string()) {
        return Err(CliError::DigestOther {
            promised: promised.clone(),
            found: digest.to_string(),
        });
    }
    let model = Model::load(&artifact, &Device::flex())?;
    model.warm_up()?;
    let judged = model.judgement().map(|of| Judged {
        rows: of.rows,
        difference: of.difference,
        sums_difference: of.sums_difference,
    });
    let schema_digest = artifact.manifest().schema_digest()?.to_string();
    if options.json {
        output::json(&Report { digest: digest.to_string(), schema_digest, judged })?;
        return Ok(Verdict::Well);
    }
    output::line(format_args!("digest     {digest}"))?;
    output::line(format_args!("schema     {schema_digest}"))?;
    output::line(format_args!("form       canonical, every weight finite"))?;
    match judged {
        Some(Judged { rows, difference, sums_difference }) => output::line(format_args!(
            "fused      {difference:.1e} from the engine at most, {sums_difference:.1e} before the last activation, on {rows} rows"
        ))?,
        None => output::line(format_args!("fused      not on this machine: the engine answers"))?,
    }
    output::line(format_args!("warm-up    scored"))?;
    Ok(Verdict::Well)
}
