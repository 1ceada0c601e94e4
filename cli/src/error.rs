//! What can go wrong, with the exit code and the hint that belong to it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use sealgate_attestation::MeasurementsError;
use sealgate_audit::AuditError;
use sealgate_client::ClientError;
use sealgate_keys::KeyError;
use sealgate_keys::key_file::KeyFileError;
use sealgate_keys::link::LinkError;
use sealgate_model::ModelError;
use sealgate_model_builder::BuildError;
use sealgate_policies::Mistakes;
use sealgate_review::ReviewError;
use thiserror::Error;

use crate::rows::Mistake;

/// The user typed something that cannot be: `EX_USAGE` of sysexits.h.
pub(crate) const USAGE: u8 = 64;
/// Something is missing or configured wrongly: `EX_CONFIG` of sysexits.h.
const CONFIG: u8 = 78;
/// Everything else.
const FAILED: u8 = 1;

/// Why a command could not do its work.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error("cannot {doing} `{}`", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    #[error("cannot write JSON")]
    Json(#[source] serde_json::Error),
    #[error("`{given}` is longer than the dev issuer's tokens may live")]
    TokenTooLong { given: String },
    #[error("`{}`: {why}", path.display())]
    Config { path: PathBuf, why: String },
    #[error("`{}`: {why}", path.display())]
    Pem { path: PathBuf, why: String },
    #[error("cannot listen on `{address}`")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("`{address}` can be reached from other machines")]
    NotLoopback { address: SocketAddr },
    #[error("`{name}` is not in `{}`", dir.display())]
    SiblingMissing { name: &'static str, dir: PathBuf },
    #[error("`{}` is neither empty nor the state of a demo", dir.display())]
    StateForeign { dir: PathBuf },
    #[error("`{}` is not the state of a demo", dir.display())]
    StateMissing { dir: PathBuf },
    #[error("another demo runs on `{}`", dir.display())]
    StateInUse { dir: PathBuf },
    #[error("`{}` is damaged: {why}", path.display())]
    StateDamaged { path: PathBuf, why: String },
    #[error("no demo is running on `{}`", dir.display())]
    NotRunning { dir: PathBuf },
    #[error(
        "not split: at best, with {rows} rows, parts take {parts:.1} us and the whole {whole:.1} us, \
         T = {ratio:.2}"
    )]
    SplitLoses { ratio: f64, rows: usize, parts: f64, whole: f64 },
    #[error("the parts could not be run")]
    Split(#[source] ModelError),
    #[error("a part could not be run")]
    Part(#[source] LinkError),
    #[error("a key or certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    #[error("the token could not be signed")]
    Token(#[from] jsonwebtoken::errors::Error),
    #[error("the operating system gave no random bytes")]
    Randomness,
    #[error("the log has no decision on request `{id}`")]
    NoSuchRequest { id: String },
    #[error("no checkpoint covers the request yet; the next one does, within a second")]
    NotYetProved,
    #[error("a gateway is writing `{}`", dir.display())]
    LogInUse { dir: PathBuf },
    #[error("nothing is wrong with `{}` in itself\nhint: where the gateway refuses it for the copy of its checkpoint, give that copy by --since", dir.display())]
    LogIsWell { dir: PathBuf },
    #[error("`{}` has no checkpoint that holds, so there is nothing to go on from", dir.display())]
    NothingHolds { dir: PathBuf },
    #[error("`{}` is not empty", dir.display())]
    LogExists { dir: PathBuf },
    #[error("{month} is the newest month: the gateway still uses its key")]
    NewestEpoch { month: sealgate_audit::Epoch },
    #[error("`{}` is there already", path.display())]
    KeyExists { path: PathBuf },
    #[error("the demo's gateway has no admin listener")]
    NoAdminListener,
    #[error("the gateway runs no workers for the demo's model")]
    NoPool,
    #[error("these options are for requests that are sealed here")]
    NotSealed,
    #[error("nothing says who must vouch for the worker")]
    Unpinned,
    #[error("software evidence counts only by a key that is pinned")]
    PinMissing,
    #[error("`{}` is no signature", path.display())]
    Signature { path: PathBuf },
    #[error("`{}`", path.display())]
    Measurements { path: PathBuf, source: MeasurementsError },
    #[error("`{}` is no receipt", path.display())]
    NoReceipt { path: PathBuf },
    #[error("`{}` is no keyset of the gateway's archive", path.display())]
    NoKeyset { path: PathBuf },
    #[error("nothing says which key must have signed the receipt")]
    NoReceiptKey,
    #[error("the key of the receipt's commitments is not in its file")]
    NoCommitmentKey,
    #[error("`{found}` is no release profile of this version")]
    ReleaseProfile { found: String },
    #[error("the gateway {what}")]
    Gateway { what: String, log: PathBuf, sandbox: bool },
    #[error("the gateway's answer is not of the Open Inference Protocol V2")]
    Answer(#[source] serde_json::Error),
    #[error("the gateway's answer has no output `{output}`")]
    AnswerWithout { output: String },
    #[error("`{}`: {mistake}", path.display())]
    Rows { path: PathBuf, mistake: Mistake },
    #[error("`{}` holds {found} artifacts, one is needed", dir.display())]
    ArtifactCount { dir: PathBuf, found: usize },
    #[error("the artifact has the digest {found}, promised was `{promised}`")]
    DigestOther { promised: String, found: String },
    #[error("`{}` is no artifact", path.display())]
    Artifact { path: PathBuf, source: ModelError },
    #[error("`{}` is a sealed model file", path.display())]
    ModelSealed { path: PathBuf },
    #[error("`{}` is no sealed model file", path.display())]
    ModelNotSealed { path: PathBuf },
    #[error("`{}`", path.display())]
    SealedModel { path: PathBuf, source: KeyError },
    #[error("no key is named")]
    KekUnsaid,
    #[error("`{}` is there already", path.display())]
    FileExists { path: PathBuf },
    #[error("`{}` was not read back as it was written", path.display())]
    WrittenOtherwise { path: PathBuf },
    #[error("the policy folder `{}` would be refused: {} said of it", dir.display(), count(mistakes))]
    Policies { dir: PathBuf, mistakes: Mistakes },
    #[error("`{}` has no `candidate/`", dir.display())]
    NoCandidate { dir: PathBuf },
    #[error("unknown issuer `{given}`")]
    IssuerUnknown { given: String, declared: Vec<String> },
    #[error("`{action}` is asked of a model, and none is named")]
    ModelUnsaid { action: &'static str },
    #[error("`{action}` is asked of the gateway and has no `{option}`")]
    OnlyOfModels { option: &'static str, action: &'static str },
    #[error("the keys of the issuer `{issuer}` are published at `{url}` and not fetched here")]
    KeysElsewhere { issuer: String, url: String },
    #[error("`--jwks` is for tokens of an issuer with `jwks_url`, and this is none")]
    JwksUnused,
    #[error("`{}`: {message}", path.display())]
    Jwks { path: PathBuf, message: String, hint: Option<String> },
    #[error("the claim `{claim}` is said in another way")]
    ClaimMisplaced { claim: String },
    #[error("`{}` at byte {offset}: the record cannot be read", path.display())]
    Record { path: PathBuf, offset: u64, source: serde_json::Error },
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Review(#[from] ReviewError),
    #[error("`refusal` is told apart by nothing else: who was refused so is unknown")]
    RefusalsAlone,
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn count(mistakes: &Mistakes) -> String {
    match mistakes.len() {
        1 => "1 thing is".to_owned(),
        count => format!("{count} things are"),
    }
}

/// What to do about a model that was not made.
fn build_hint(error: &BuildError) -> Option<&'static str> {
    match error {
        BuildError::Import(error) => error.hint(),
        BuildError::SchemaUnfit { .. } => {
            Some("where these are the sums before a sigmoid or a softmax, export the model with it")
        }
        BuildError::SchemaCount { .. } => Some("name each, in the file's order"),
        BuildError::Reference(_) => Some("it is `{\"inputs\":[[..],..],\"outputs\":[[..],..]}`"),
        BuildError::Differs { .. } => Some(
            "were the answers made by the model in this file, in evaluation mode, of raw rows? nothing was written",
        ),
        _ => None,
    }
}

impl CliError {
    /// For `map_err`: what was tried, on which file.
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.into(), source }
    }

    /// The exit code of sysexits.h, where it has one.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::TokenTooLong { .. }
            | Self::NotLoopback { .. }
            | Self::NotSealed
            | Self::Unpinned
            | Self::PinMissing
            | Self::NoReceiptKey
            | Self::IssuerUnknown { .. }
            | Self::KeysElsewhere { .. }
            | Self::JwksUnused
            | Self::ModelUnsaid { .. }
            | Self::OnlyOfModels { .. }
            | Self::ClaimMisplaced { .. }
            | Self::RefusalsAlone
            | Self::KekUnsaid
            | Self::Review(ReviewError::NotLoopback(_))
            | Self::NoCommitmentKey => USAGE,
            Self::Policies { .. }
            | Self::Review(ReviewError::Policies(_))
            | Self::Build(BuildError::Schema(_) | BuildError::SchemaCount { .. })
            | Self::Build(BuildError::SchemaUnfit { .. } | BuildError::PositiveUnknown { .. })
            | Self::NoCandidate { .. }
            | Self::Jwks { .. }
            | Self::Signature { .. }
            | Self::Measurements { .. }
            | Self::KeyFile(_)
            | Self::Config { .. }
            | Self::Pem { .. }
            | Self::SiblingMissing { .. }
            | Self::StateForeign { .. }
            | Self::StateMissing { .. }
            | Self::StateDamaged { .. } => CONFIG,
            _ => FAILED,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TokenTooLong { .. } => "12h is the most".to_owned(),
            Self::NotLoopback { .. } => {
                "anyone who reaches it can try the demo's tokens; add `--unsafe-remote` if that is meant".to_owned()
            }
            Self::KeyExists { .. } => "name another file: no key is overwritten".to_owned(),
            Self::FileExists { .. } => "name another file with `--out`".to_owned(),
            Self::KekUnsaid => "`--kek-file FILE` or `--kek-passphrase-file FILE` names one".to_owned(),
            Self::ModelSealed { path } => {
                format!("sealgate model unseal {} --kek-file FILE --out FILE", path.display())
            }
            Self::SealedModel { path, source: KeyError::OtherKek } => {
                format!("`sealgate model inspect {}` names the keys that open it", path.display())
            }
            Self::SealedModel { source: KeyError::Refused, .. } => {
                "the key is another one, or the file is damaged".to_owned()
            }
            Self::WrittenOtherwise { .. } => "nothing was kept of it: try another disk".to_owned(),
            Self::NotSealed => "add `--sealed`, or leave them out".to_owned(),
            Self::Unpinned => {
                "`--accept software --pin KEY` names an operator; `--unpinned` goes on, not protected against the gateway".to_owned()
            }
            Self::PinMissing => "add `--pin KEY`, the operator's public key".to_owned(),
            Self::NoReceiptKey => {
                "`--keyset FILE` names a keyset of the gateway's archive, `--key KEY` a key; a gateway's own receipt needs `--key`".to_owned()
            }
            Self::NoCommitmentKey => {
                "`--commitment-key KEY`: it came beside the receipt, in `sealgate-commitment-key`".to_owned()
            }
            Self::Policies { dir, .. } => match dir.parent() {
                Some(active) if dir.ends_with("candidate") => {
                    format!("sealgate policy check --candidate {}", active.display())
                }
                _ => format!("sealgate policy check {}", dir.display()),
            },
            Self::NoCandidate { .. } => {
                "put the changed files into it, each under its own path".to_owned()
            }
            Self::IssuerUnknown { declared, .. } => format!("declared are {}", declared.join(", ")),
            Self::KeysElsewhere { url, .. } => {
                format!("curl -o keys.json {url}, then add `--jwks keys.json`")
            }
            Self::JwksUnused => "leave it out: the folder has the keys, or knows no such issuer".to_owned(),
            Self::Jwks { hint, .. } => return hint.clone(),
            Self::ModelUnsaid { .. } => "`--model M` names it".to_owned(),
            Self::OnlyOfModels { .. } => {
                "leave it out: `--address` and `--time` can be said".to_owned()
            }
            Self::ClaimMisplaced { .. } => {
                "`--subject`, `--issuer` and `--token-age` say it".to_owned()
            }
            Self::Record { .. } => "does `sealgate audit verify` find the log whole?".to_owned(),
            Self::SiblingMissing { .. } => "cargo build --release".to_owned(),
            Self::StateForeign { .. } => "name a new folder with `--state DIR`".to_owned(),
            Self::StateMissing { dir } | Self::NotRunning { dir } => {
                format!("sealgate demo --state {}", dir.display())
            }
            Self::StateInUse { .. } => {
                "stop it, or give this one a folder of its own with `--state DIR`".to_owned()
            }
            Self::StateDamaged { path, .. } => {
                format!("remove `{}` and start the demo again: it makes a new one", path.display())
            }
            Self::Gateway { sandbox: true, .. } => {
                "this machine cannot enforce the worker's whole sandbox: to try the demo all the same, set `sandbox = \"report\"` in gateway.toml and worker.toml".to_owned()
            }
            Self::Gateway { log, .. } => format!("its last words stand in `{}`", log.display()),
            Self::Rows { mistake, .. } => return mistake.hint(),
            Self::ArtifactCount { .. } => "name the file itself".to_owned(),
            Self::SplitLoses { .. } => {
                "`--anyway` splits it all the same; wider layers gain more".to_owned()
            }
            Self::Build(BuildError::LossTooLarge { .. }) => {
                "nothing was written; `--to f16` loses less than `int8`, and `--max-loss` allows more".to_owned()
            }
            Self::Build(BuildError::LabelUnknown { .. }) => {
                "of two classes, `--positive LABEL` says what the table calls the positive one".to_owned()
            }
            Self::Build(BuildError::CompressedBefore) => {
                "compress the artifact it was made from".to_owned()
            }
            Self::Build(BuildError::ClassCount { .. }) => {
                "without `--positive`, several classes are learned".to_owned()
            }
            Self::Client(ClientError::Connect { .. }) => {
                "does the demo still run? `sealgate demo` starts it".to_owned()
            }
            Self::Build(error) => return build_hint(error).map(str::to_owned),
            Self::RefusalsAlone => "ask for `--by refusal` on its own".to_owned(),
            _ => return None,
        })
    }
}
