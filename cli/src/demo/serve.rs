//! The life of a demo: start, ask once, announce, watch, stop.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, interval};

use super::gateway::{Event, Gateway};
use super::prepare::Prepared;
use super::ready::{NotReady, ready};
use super::stop::Stop;
use super::{scaling, words};
use crate::error::CliError;
use crate::state::State;
use crate::state::listing::Listing;
use crate::{Verdict, output};

pub(super) fn serve(
    state: &State,
    prepared: &Prepared,
    program: &Path,
    time: Option<Duration>,
) -> Result<Verdict, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::io("start", "the runtime"))?;
    let ends_at = time.map(|time| Instant::now() + time);
    let ended = runtime.block_on(live(state, prepared, program, ends_at));
    Listing::withdraw(state)?;
    ended
}

async fn live(
    state: &State,
    prepared: &Prepared,
    program: &Path,
    ends_at: Option<Instant>,
) -> Result<Verdict, CliError> {
    // Before anything starts, so that no signal can end the demo and leave its children.
    let mut stop = Stop::new(ends_at)?;
    let mut gateway = Gateway::start(program, &prepared.config, state)?;
    let url = tokio::select! {
        url = ready(&mut gateway, state, prepared) => url,
        why = stop.wait() => return stopped(gateway, state, why).await,
    };
    let url = match url {
        Ok(url) => url,
        Err(NotReady::Gateway(what)) => return Err(gateway.failed(what).await),
        Err(NotReady::Other(error)) => {
            gateway.stop().await;
            return Err(error);
        }
    };
    let listing = |gateway: &Gateway| prepared.listing(state, &url, gateway);
    listing(&gateway).publish(state)?;
    words::announce(&listing(&gateway), state)?;
    let mut renewal = interval(RENEW_EVERY);
    let mut scene = std::pin::pin!(scaling::scene(state, prepared, listing(&gateway)));
    let mut shown = !prepared.scaling;
    loop {
        tokio::select! {
            end = &mut scene, if !shown => {
                shown = true;
                if let Err(error) = end {
                    gateway.stop().await;
                    return Err(error);
                }
            }
            event = gateway.event() => match event {
                None => return Err(gateway.failed("ended").await),
                Some(event) => {
                    if told(&event) {
                        listing(&gateway).publish(state)?;
                    }
                }
            },
            _ = renewal.tick() => prepared.renew_token(state)?,
            why = stop.wait() => return stopped(gateway, state, why).await,
        }
    }
}

/// Tells the user about a worker that came or went; whether there was such a thing.
fn told(event: &Event) -> bool {
    match event {
        Event::WorkerStarted { model, pid } => {
            output::note(format_args!("worker {pid} serves `{model}`"));
            true
        }
        Event::WorkerEnded { pid, why } => {
            output::note(format_args!("worker {pid} ended: {why}"));
            true
        }
        Event::WorkerFailed { why } => {
            output::note(format_args!("a worker could not be started: {why}"));
            false
        }
        Event::Listening { .. } | Event::AdminListening { .. } | Event::Other => false,
    }
}

async fn stopped(gateway: Gateway, state: &State, why: &str) -> Result<Verdict, CliError> {
    // First of all: who reads it from now on would find nobody.
    Listing::withdraw(state)?;
    output::note(format_args!("stopping: {why}"));
    gateway.stop().await;
    Ok(Verdict::Well)
}

/// Half of what a token lives.
const RENEW_EVERY: Duration = Duration::from_secs(6 * 60 * 60);
