//! `sealgate infer`: scores from a running demo.

use std::path::PathBuf;

use clap::Args;
use sealgate_client::{Answer, Client};
use sealgate_model::Manifest;
use serde::Deserialize;

use super::scores;
use crate::error::CliError;
use crate::state::listing::Listing;
use crate::state::{State, example, model};
use crate::{Verdict, output, rows};

/// Score rows by a running demo
///
/// Rows are `[[..],..]`, `{"x": [[..],..]}`, a V2 request, or CSV whose header names the features
/// in any order; other columns are let be. Names and order of the features come from the manifest
/// of the model in the state folder. The request goes over TLS with the demo's authority and token.
#[derive(Args)]
pub(crate) struct Options {
    /// State folder of the demo
    #[arg(long, value_name = "DIR", default_value = "./sealgate-demo")]
    state: PathBuf,
    /// File with the rows
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Print the gateway's answer as it came
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<Verdict, CliError> {
    let state = State::open(&options.state)?;
    let listing = Listing::read(&state)?;
    let artifact = model::load(&state)?;
    let rows = rows::read(&options.input, artifact.manifest())?;
    let answer = ask(&listing, example::request(artifact.manifest(), &rows)?)?;
    if options.json {
        output::line(String::from_utf8_lossy(&answer.body))?;
        return Ok(Verdict::Well);
    }
    scores::table(artifact.manifest(), &outputs(&answer, artifact.manifest())?)?;
    if let Some(id) = &answer.request_id {
        output::note(format_args!("request {id}"));
    }
    Ok(Verdict::Well)
}

fn ask(listing: &Listing, body: Vec<u8>) -> Result<Answer, CliError> {
    let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(CliError::io("read", path));
    let client =
        Client::new(&listing.url, read(&listing.ca)?.as_bytes(), read(&listing.token)?.trim())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::io("start", "the runtime"))?;
    Ok(runtime.block_on(client.infer_v2(&listing.model, body))?)
}

/// The values of the model's output in a V2 answer.
fn outputs(answer: &Answer, manifest: &Manifest) -> Result<Vec<f32>, CliError> {
    #[derive(Deserialize)]
    struct Body {
        outputs: Vec<Tensor>,
    }
    #[derive(Deserialize)]
    struct Tensor {
        name: String,
        data: Vec<f32>,
    }
    let body: Body = serde_json::from_slice(&answer.body).map_err(CliError::Answer)?;
    let output = body.outputs.into_iter().find(|tensor| tensor.name == manifest.output);
    output
        .map(|tensor| tensor.data)
        .ok_or(CliError::AnswerWithout { output: manifest.output.clone() })
}
