//! The keys of a running demo, in words.

use std::path::PathBuf;

use clap::Args;
use sealgate_client::{Demands, Kem, VerifiedKeys};

use crate::date::date;
use crate::demo::now_s;
use crate::error::CliError;
use crate::findings::Findings;
use crate::state::State;
use crate::state::listing::Listing;
use crate::trust::SealOptions;
use crate::{Verdict, asking};

#[derive(Args)]
pub(crate) struct ShowOptions {
    /// State folder of the demo
    #[arg(long, value_name = "DIR", default_value = "./sealgate-demo")]
    state: PathBuf,
    #[command(flatten)]
    seal: SealOptions,
    /// Print the findings for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &ShowOptions) -> Result<Verdict, CliError> {
    let listing = Listing::read(&State::open(&options.state)?)?;
    let demands = options.seal.demands(&listing, now_s())?;
    let client = asking::sealed_client(&listing, demands.clone())?;
    let keys = asking::runtime()?.block_on(client.keys(&listing.model))?;
    found(&keys, &demands).print(options.json)?;
    Ok(Verdict::Well)
}

fn found(keys: &VerifiedKeys, demands: &Demands) -> Findings {
    let mut found = Findings::default();
    facts(keys, &mut found);
    match keys.verdict() {
        Some(verdict) => found.verdict(verdict),
        None => found.not_verified(
            "evidence: whoever answers at the gateway's address may show keys of its own",
        ),
    }
    found.verified("the key list is the keyset's: no key was stripped, added or changed");
    found.verified("the keyset is that of the model asked for, and its keys live");
    found.verified(format_args!("there is a key of {}", kem(demands.kem())));
    match demands.model_digest() {
        Some(_) => found.verified("the model is the pinned one"),
        None => found.not_verified("the model's digest: none is pinned (`--model-digest`)"),
    }
    match demands.gateway_receipt_key() {
        Some(_) => found.verified("the gateway's receipt key is the pinned one"),
        None => found.not_verified("the gateway's receipt key: none is pinned"),
    }
    asserted(keys, &mut found);
    found
}

fn facts(keys: &VerifiedKeys, found: &mut Findings) {
    let (keyset, key) = (keys.keyset(), keys.key());
    found.fact("model", format_args!("{} version {}", keyset.model.name, keyset.model.version));
    found.fact("model digest", &keyset.model.digest);
    found.fact("keyset", hex::encode(keys.digest()));
    found.fact("evidence", keys.verdict().map_or("not judged", |verdict| verdict.kind().as_str()));
    found.fact("seals with", format_args!("{}, key id {}", kem(key.kem), key.key_id));
    found.fact("keys end", date(keyset.not_after_s));
    found.fact("usable until", date(keys.usable_until_s()));
}

fn asserted(keys: &VerifiedKeys, found: &mut Findings) {
    let keyset = keys.keyset();
    found.self_asserted(format_args!("build {}, engine {}", keyset.build, keyset.engine));
    found.self_asserted(format_args!("build digest {}", keyset.build_digest));
    let whole = if keyset.sandbox_enforced { "enforced" } else { "not whole" };
    found.self_asserted(format_args!("the sandbox is {whole}"));
    if let Some(replay) = &keyset.replay {
        let words = "what is delivered again is opened again, near its date";
        found.self_asserted(format_args!("replays: {replay}; {words}"));
    }
    found.self_asserted(format_args!("its guards: {}", keyset.sandbox.join(", ")));
}

const fn kem(kem: Kem) -> &'static str {
    match kem {
        Kem::XWing => "X-Wing (ML-KEM-768 and X25519)",
        Kem::X25519 => "X25519",
    }
}
