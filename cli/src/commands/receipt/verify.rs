//! `sealgate receipt verify`: a receipt, judged at its own time.

use std::path::PathBuf;

use clap::Args;
use sealgate_client::ShownKeyset;
use sealgate_keys::receipt::{GatewayReceipt, Receipt, WorkerReceipt, claimed_type, verify};

use super::source::{KeyOptions, KeySource, receipt};
use crate::Verdict;
use crate::date::date;
use crate::error::CliError;
use crate::findings::Findings;
use crate::trust::TrustOptions;

/// Find out what a receipt proves
///
/// FILE is what `sealgate infer --receipt` wrote, or a `sealgate-receipt` header field alone. The
/// keyset comes from it or from the gateway's archive; its evidence is judged at the receipt's own
/// time, also when the worker is long gone. Exit code 1 when anything is wrong. What was not
/// verified is said, and is not wrong.
#[derive(Args)]
pub(crate) struct Options {
    /// The receipt
    file: PathBuf,
    #[command(flatten)]
    key: KeyOptions,
    #[command(flatten)]
    trust: TrustOptions,
    /// Print the findings for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let file = receipt(&options.file)?;
    let source = options.key.source(&file)?;
    let mut found = Findings::default();
    match claimed_type(&file.receipt).as_deref() {
        Some(WorkerReceipt::TYPE) => worker(&file.receipt, &source, &options.trust, &mut found)?,
        Some(GatewayReceipt::TYPE) => gateway(&file.receipt, &source, &mut found)?,
        _ => return Err(CliError::NoReceipt { path: options.file.clone() }),
    }
    let verdict = if found.well() { Verdict::Well } else { Verdict::NotWell };
    found.print(options.json)?;
    Ok(verdict)
}

fn gateway(line: &str, source: &KeySource, found: &mut Findings) -> Result<(), CliError> {
    let KeySource::Typed(key) = source else { return Err(CliError::NoReceiptKey) };
    let Some(receipt) = signed::<GatewayReceipt>(line, key, "the key given", found) else {
        return Ok(());
    };
    found.fact("receipt", "a gateway's, of a refusal");
    found.fact("request", &receipt.request_id);
    found.fact("refused with", format_args!("{} {}", receipt.status, receipt.code));
    found.self_asserted(format_args!("time {}", date(receipt.time_s)));
    found.self_asserted(format_args!("policy digest {}", receipt.policy_digest));
    found.not_verified("that the key given is the gateway's");
    Ok(())
}

fn worker(
    line: &str,
    source: &KeySource,
    trust: &TrustOptions,
    found: &mut Findings,
) -> Result<(), CliError> {
    let (key, whose) = match source {
        KeySource::Typed(key) => (key, "the key given"),
        KeySource::Keyset(_, key) => (key, "the keyset's receipt key"),
        KeySource::Missing => return Err(CliError::NoReceiptKey),
    };
    let Some(receipt) = signed::<WorkerReceipt>(line, key, whose, found) else { return Ok(()) };
    found.fact("receipt", format_args!("a worker's, of a {} request", receipt.mode));
    found.fact("request", &receipt.request_id);
    found.fact("outcome", &receipt.code);
    found.fact("model digest", &receipt.model_digest);
    found.fact("release", &receipt.release_profile);
    match source {
        KeySource::Keyset(shown, _) => keyset(&receipt, shown, trust, found)?,
        _ => found.not_verified("whose key that is: no keyset was given (`--keyset`)"),
    }
    found.self_asserted(format_args!("time {}", date(receipt.time_s)));
    found.self_asserted(format_args!(
        "policy digest {}, as the gateway claimed it to the worker",
        receipt.policy_digest
    ));
    if receipt.input_commitment.is_some() {
        found.not_verified("which rows and scores it commits to (`sealgate receipt replay`)");
    }
    Ok(())
}

/// The receipt, if its signature holds.
pub(super) fn signed<R: Receipt>(
    line: &str,
    key: &[u8; 32],
    whose: &str,
    found: &mut Findings,
) -> Option<R> {
    match verify::<R>(line, key) {
        Ok(receipt) => {
            found.verified(format_args!("it is signed by {whose}"));
            Some(receipt)
        }
        Err(_) => {
            found.wrong(format_args!("it is not signed by {whose}, or was changed since"));
            None
        }
    }
}

fn keyset(
    receipt: &WorkerReceipt,
    shown: &ShownKeyset,
    trust: &TrustOptions,
    found: &mut Findings,
) -> Result<(), CliError> {
    let keyset = &shown.keyset;
    found.check(
        receipt.keyset_digest == hex::encode(keyset.digest()),
        "it names this keyset",
        "it names another keyset",
    );
    found.check(
        shown.keys().is_ok(),
        "the key list is the keyset's",
        "the key list is not the keyset's",
    );
    found.check(
        receipt.model_digest == keyset.model.digest
            && receipt.schema_digest == keyset.model.schema_digest,
        format_args!("it names the keyset's model, `{}`", keyset.model.name),
        "it names another model than the keyset",
    );
    found.check(
        receipt.time_s <= keyset.not_after_s,
        "its time is within the keyset's",
        "its time is after the keyset's end",
    );
    match trust.trust(receipt.time_s, KEYS_LIFE_MAX_S)? {
        Some(trust) => match shown.judge(&trust, receipt.time_s) {
            Ok(verdict) => found.verdict(&verdict),
            Err(refusal) => found.wrong(format_args!("{}", Cause(&refusal))),
        },
        None => found.not_verified(
            "the keyset's evidence: nothing says whom to trust (`--accept`, `--pin`)",
        ),
    }
    found.self_asserted(format_args!("build {}, engine {}", keyset.build, keyset.engine));
    let whole = if keyset.sandbox_enforced { "enforced" } else { "not whole" };
    found.self_asserted(format_args!("the sandbox was {whole}"));
    Ok(())
}

/// An error with its cause behind it.
struct Cause<'a, E>(&'a E);

impl<E: std::error::Error> std::fmt::Display for Cause<'_, E> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.0)?;
        self.0.source().map_or(Ok(()), |cause| write!(out, ": {cause}"))
    }
}

/// No keys live longer, so no evidence for them can be older at a receipt's time.
const KEYS_LIFE_MAX_S: u64 = 48 * 60 * 60;
