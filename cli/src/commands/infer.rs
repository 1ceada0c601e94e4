//! `sealgate infer`: scores from a running demo.

mod shards;

use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_client::{Body, Checked, ClientError, Demands, ReceiptFile, SealedAnswer, Tensor};
use sealgate_model::{Manifest, Rows};
use serde::Deserialize;

use super::scores;
use crate::demo::now_s;
use crate::error::CliError;
use crate::state::listing::Listing;
use crate::state::{State, example, files, model};
use crate::trust::SealOptions;
use crate::{Verdict, asking, output, rows};
use shards::{Batch, Shards};

/// Score rows by a running demo
///
/// Rows are `[[..],..]`, `{"x": [[..],..]}`, a V2 request, or CSV whose header names the features
/// in any order; other columns are let be. Names and order of the features come from the manifest
/// of the model in the state folder. The request goes over TLS with the demo's authority and token.
///
/// With `--sealed` the gateway passes what it cannot read: the worker's evidence is judged first,
/// the rows are sealed to the worker's own key, and the answer counts only with its receipt. What
/// is accepted is what `--accept` names, or the operator's key in the demo's `demo.json`.
#[derive(Args)]
pub(crate) struct Options {
    /// State folder of the demo
    #[arg(long, value_name = "DIR", default_value = "./sealgate-demo")]
    state: PathBuf,
    /// File with the rows
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Print the answer as it came
    #[arg(long)]
    json: bool,
    /// Send rows and get scores as binary tensors, which takes less time than text
    #[arg(long, conflicts_with = "json")]
    binary: bool,
    /// Seal to the worker's own key
    #[arg(long)]
    sealed: bool,
    /// Cut the rows among so many workers, each of which sees only its own; `auto` takes as many as
    /// are found
    #[arg(long, value_name = "N|auto", requires = "sealed", value_parser = shards::parse)]
    shards: Option<Shards>,
    #[command(flatten)]
    seal: SealOptions,
    /// File for the receipt and what is needed to verify it later; with `--shards`, `FILE.1` and on
    #[arg(long, value_name = "FILE", requires = "sealed")]
    receipt: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<Verdict, CliError> {
    if !options.sealed && options.seal.given() {
        return Err(CliError::NotSealed);
    }
    let state = State::open(&options.state)?;
    let listing = Listing::read(&state)?;
    let artifact = model::load(&state)?;
    let rows = rows::read(&options.input, artifact.manifest())?;
    if let Some(wanted) = options.shards {
        let demands = options.seal.demands(&listing, now_s())?;
        let batch = Batch { listing: &listing, manifest: artifact.manifest(), rows: &rows };
        let answers = batch.infer(wanted, demands, options.receipt.as_deref())?;
        return told(options, artifact.manifest(), answers);
    }
    let body = body(artifact.manifest(), &rows, options.binary)?;
    let answer = match options.sealed {
        false => plain(&listing, body)?,
        true => {
            let demands = options.seal.demands(&listing, now_s())?;
            let receipt = options.receipt.as_deref();
            sealed(&listing, demands, body, u32::try_from(rows.count()).ok(), receipt)?
        }
    };
    told(options, artifact.manifest(), vec![answer])
}

/// Says what was answered, in the order of the rows.
fn told(options: &Options, manifest: &Manifest, answers: Vec<Answer>) -> Result<Verdict, CliError> {
    if options.json {
        for answer in &answers {
            output::line(String::from_utf8_lossy(&answer.body))?;
        }
        return Ok(Verdict::Well);
    }
    let mut values = Vec::new();
    for answer in &answers {
        match &answer.tensor {
            Some(tensor) => values.extend_from_slice(&tensor.values),
            None => values.extend(outputs(&answer.body, manifest)?),
        }
    }
    scores::table(manifest, &values)?;
    answers.iter().flat_map(|answer| &answer.notes).for_each(output::note);
    Ok(Verdict::Well)
}

/// The rows as they are sent.
fn body(manifest: &Manifest, rows: &Rows, binary: bool) -> Result<Body, CliError> {
    let shape = [rows.count(), rows.features()];
    let tensor = binary.then(|| Body::binary(&manifest.input, shape, rows.values())).flatten();
    match tensor {
        Some(body) => Ok(body),
        None => example::request(manifest, rows).map(Body::from),
    }
}

/// An answer of either mode.
struct Answer {
    body: Vec<u8>,
    /// Its output, where it came behind the JSON.
    tensor: Option<Tensor>,
    notes: Vec<String>,
}

fn plain(listing: &Listing, body: Body) -> Result<Answer, CliError> {
    let client = asking::client(listing)?;
    let answer = asking::runtime()?.block_on(client.infer_v2(&listing.model, body))?;
    let notes = answer.request_id.iter().map(|id| format!("request {id}")).collect();
    let tensor = answer.json_bytes.and_then(|_| answer.output());
    Ok(Answer { body: answer.body.to_vec(), tensor, notes })
}

fn sealed(
    listing: &Listing,
    demands: Demands,
    body: Body,
    rows: Option<u32>,
    receipt: Option<&Path>,
) -> Result<Answer, CliError> {
    let client = asking::sealed_client(listing, demands)?;
    let answered = asking::runtime()?.block_on(client.infer_v2(&listing.model, body, rows));
    match answered {
        Ok(answer) => kept(answer, receipt),
        Err(refused) => {
            keep_of_refusal(&refused, receipt)?;
            Err(refused.into())
        }
    }
}

/// What there is to say of an answer, once its receipt is kept.
fn kept(answer: SealedAnswer, receipt: Option<&Path>) -> Result<Answer, CliError> {
    let mut notes = vec![format!("request {}", answer.request_id)];
    if (answer.input, answer.output) != (Checked::Held, Checked::Held) {
        notes.push("the receipt's commitments could not be compared with rows and scores".into());
    }
    if let Some(path) = receipt {
        keep(&answer.file, path)?;
        notes.push(format!("receipt {}", path.display()));
    }
    let tensor = answer.json_bytes.and_then(|_| answer.output());
    let SealedAnswer { body, .. } = answer;
    Ok(Answer { body: body.to_vec(), tensor, notes })
}

/// Refusals of known callers have receipts, too: the worker's inside the seal, the gateway's own
/// beside it.
fn keep_of_refusal(refused: &ClientError, path: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = path else { return Ok(()) };
    match refused {
        ClientError::WorkerRefused(refused) => keep(&refused.file, path),
        ClientError::Refused(refusal) | ClientError::KeysSpent(refusal) => match &refusal.receipt {
            Some(line) => files::replace(path, format!("{line}\n").as_bytes()),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn keep(file: &ReceiptFile, path: &Path) -> Result<(), CliError> {
    files::replace(path, format!("{}\n", *file.to_json()).as_bytes())
}

/// The values of the model's output in a V2 answer.
fn outputs(body: &[u8], manifest: &Manifest) -> Result<Vec<f32>, CliError> {
    #[derive(Deserialize)]
    struct Body {
        outputs: Vec<Tensor>,
    }
    #[derive(Deserialize)]
    struct Tensor {
        name: String,
        data: Vec<f32>,
    }
    let body: Body = serde_json::from_slice(body).map_err(CliError::Answer)?;
    let output = body.outputs.into_iter().find(|tensor| tensor.name == manifest.output);
    output
        .map(|tensor| tensor.data)
        .ok_or(CliError::AnswerWithout { output: manifest.output.clone() })
}
