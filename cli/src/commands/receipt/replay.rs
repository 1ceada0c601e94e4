//! `sealgate receipt replay`: the inference again, and whether the receipt is of it.

use std::path::PathBuf;

use burn::tensor::Device;
use clap::Args;
use sealgate_keys::receipt::{Receipt, WorkerReceipt, claimed_type, unverified};
use sealgate_keys::{CommittedTensor, Direction, Head, ReleaseProfile, Secret, commit};
use sealgate_model::{Artifact, Manifest, Model, Rows, Task};

use super::source::{KeyOptions, KeySource, receipt};
use super::verify::signed;
use crate::commands::model::artifact;
use crate::error::CliError;
use crate::findings::Findings;
use crate::{Verdict, rows, trust};

/// Run an inference again and compare it with its receipt
///
/// Says whether the receipt is of this model, commits to these rows, and to the answer that this
/// model gives for them after the receipt's release profile. Bit for bit the same answer can be
/// expected from the same build of the same engine on the same kind of processor. Exit code 1 when
/// anything differs.
#[derive(Args)]
pub(crate) struct Options {
    /// The receipt
    file: PathBuf,
    /// The model's file, or a folder that holds exactly one
    #[arg(long, value_name = "ARTIFACT")]
    model: PathBuf,
    /// File with the rows, in the order in which they were sent
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Key of the receipt's commitments, if it is not in the receipt's file
    #[arg(long, value_name = "BASE64", value_parser = trust::key)]
    commitment_key: Option<[u8; 32]>,
    #[command(flatten)]
    key: KeyOptions,
    /// Print the findings for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let file = receipt(&options.file)?;
    let none = || CliError::NoReceipt { path: options.file.clone() };
    let source = options.key.source(&file)?;
    let mut found = Findings::default();
    let receipt = match claimed_type(&file.receipt).as_deref() {
        Some(WorkerReceipt::TYPE) => read(&file.receipt, &source, &mut found).ok_or_else(none)?,
        _ => return Err(none()),
    };
    let typed = options.commitment_key.map(Secret::from_bytes);
    let key = typed.or(file.commitment_key).ok_or(CliError::NoCommitmentKey)?;
    let artifact = artifact::read(&options.model)?;
    let rows = rows::read(&options.input, artifact.manifest())?;
    replay(&receipt, &key, &artifact, &rows, &mut found)?;
    said(&source, &mut found);
    let verdict = if found.well() { Verdict::Well } else { Verdict::NotWell };
    found.print(options.json)?;
    Ok(verdict)
}

/// The receipt; unsigned, as far as anybody here knows, when nobody named its key.
fn read(line: &str, source: &KeySource, found: &mut Findings) -> Option<WorkerReceipt> {
    match source {
        KeySource::Typed(key) | KeySource::Keyset(_, key) => signed(line, key, "its key", found),
        KeySource::Missing => {
            found.not_verified("its signature: neither a keyset nor a key was given");
            unverified(line)
        }
    }
}

fn replay(
    receipt: &WorkerReceipt,
    key: &Secret,
    artifact: &Artifact,
    rows: &Rows,
    found: &mut Findings,
) -> Result<(), CliError> {
    found.fact("request", &receipt.request_id);
    found.fact("release", &receipt.release_profile);
    let digest = artifact.digest().to_string();
    found.check(
        receipt.model_digest == digest,
        format_args!("it is of this model, sha256 {digest}"),
        format_args!("it is of another model, sha256 {}", receipt.model_digest),
    );
    let (Some(input), Some(output)) = (&receipt.input_commitment, &receipt.output_commitment)
    else {
        found.wrong(format_args!("it commits to no answer: its outcome is `{}`", receipt.code));
        return Ok(());
    };
    let profile: ReleaseProfile = receipt
        .release_profile
        .parse()
        .map_err(|_| CliError::ReleaseProfile { found: receipt.release_profile.clone() })?;
    let again = Again::run(artifact, rows, profile)?;
    let [rows_again, scores_again] = again.commitments(key);
    found.check(
        *input == rows_again,
        format_args!("it commits to these rows, {} of them", rows.count()),
        "it commits to other rows, or this is not the key of its commitments",
    );
    found.check(
        *output == scores_again,
        format_args!("it commits to the answer that this model gives, released as `{profile}`"),
        "it commits to another answer than this model gives here",
    );
    Ok(())
}

/// The same inference, run here.
struct Again<'a> {
    manifest: &'a Manifest,
    rows: &'a Rows,
    scores: Vec<f32>,
    width: u64,
}

impl<'a> Again<'a> {
    fn run(
        artifact: &'a Artifact,
        rows: &'a Rows,
        profile: ReleaseProfile,
    ) -> Result<Self, CliError> {
        let outputs = Model::load(artifact, &Device::flex())?.infer(rows)?;
        let (manifest, width) = (artifact.manifest(), outputs.width());
        let mut scores = outputs.values().to_vec();
        let cut = head(&manifest.task).and_then(|head| profile.cut(head, width, &mut scores).ok());
        cut.ok_or_else(|| CliError::ReleaseProfile { found: profile.to_string() })?;
        Ok(Self { manifest, rows, scores, width: width as u64 })
    }

    /// To the rows and to the scores, in hex.
    fn commitments(&self, key: &Secret) -> [String; 2] {
        let count = self.rows.count() as u64;
        let input = CommittedTensor {
            name: &self.manifest.input,
            shape: &[count, self.rows.features() as u64],
            values: self.rows.values(),
        };
        let output = CommittedTensor {
            name: &self.manifest.output,
            shape: &[count, self.width],
            values: &self.scores,
        };
        [(Direction::Input, input), (Direction::Output, output)]
            .map(|(direction, tensor)| hex::encode(commit(key, direction, &[tensor])))
    }
}

/// How a worker cuts the answers of such a model.
const fn head(task: &Task) -> Option<Head> {
    match task {
        Task::Binary { .. } => Some(Head::Probability),
        Task::Multiclass { .. } => Some(Head::Classes),
        Task::Multilabel { .. } => Some(Head::Labels),
        Task::Regression { .. } => Some(Head::Numbers),
        _ => None,
    }
}

/// On what equality to the last bit depends.
fn said(source: &KeySource, found: &mut Findings) {
    found.fact("replayed by", concat!("sealgate ", env!("CARGO_PKG_VERSION"), ", engine flex"));
    match source {
        KeySource::Keyset(shown, _) => found.self_asserted(format_args!(
            "answered by {}, engine {}",
            shown.keyset.build, shown.keyset.engine
        )),
        _ => found.not_verified("which build and engine answered: no keyset was given"),
    }
    found.not_verified(
        "that another build, engine or kind of processor would give the same last bit",
    );
}
