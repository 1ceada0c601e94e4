//! `sealgate demo`: everything on one machine, with keys of its own.
//!
//! The state folder is prepared, the gateway is started on it and asked once, and then the demo
//! waits: for a signal, for its time to be over, or for the gateway to fail.

mod gateway;
mod prepare;
mod ready;
mod scaling;
mod serve;
mod stop;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::error::CliError;
use crate::state::State;
use crate::{Verdict, output, siblings};

/// Start a gateway with a trained model on this machine
///
/// Makes a certificate authority, a certificate for localhost, an issuer of tokens, a policy folder
/// and a model trained on real data, all in the state folder, and starts the gateway on it. A state
/// folder that is there is used again. Prints commands to try. Ctrl-C stops everything.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder that keeps keys, policies, model and audit log
    #[arg(long, value_name = "DIR", default_value = "./sealgate-demo")]
    state: PathBuf,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Stop after N minutes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: Option<u32>,
    /// Let the load decide how many workers there are, and show it: none, a burst, none again
    #[arg(long)]
    scaling: bool,
    /// Allow an address that other machines can reach
    #[arg(long)]
    unsafe_remote: bool,
    /// Prepare the state folder and start nothing
    #[arg(long, hide = true)]
    prepare_only: bool,
}

pub(crate) fn run(options: &Options) -> Result<Verdict, CliError> {
    if !options.listen.ip().is_loopback() && !options.unsafe_remote {
        return Err(CliError::NotLoopback { address: options.listen });
    }
    // Said before the work that would be in vain.
    let gateway = match options.prepare_only {
        true => None,
        false => Some(gateway_program()?),
    };
    let state = State::create(&options.state)?;
    let _lock = state.lock()?;
    let prepared =
        prepare::prepare(&state, options.listen, options.unsafe_remote, options.scaling)?;
    let Some(gateway) = gateway else {
        output::note(format_args!("prepared {}", state.dir().display()));
        return Ok(Verdict::Well);
    };
    let minutes = options.minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)));
    serve::serve(&state, &prepared, &gateway, minutes)
}

/// The gateway starts its workers itself, so the worker must lie beside it too.
fn gateway_program() -> Result<PathBuf, CliError> {
    siblings::find("sealgate-worker")?;
    siblings::find("sealgate-gateway")
}

/// Seconds since 1970, UTC.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
