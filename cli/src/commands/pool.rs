//! `sealgate pool`: the workers of each model and what scales them.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use sealgate_client::AdminClient;

use super::listener::Listener;
use crate::error::CliError;
use crate::pools::{Pool, pools};
use crate::table::Table;
use crate::{Verdict, asking, output};

/// Show the workers of each model, their load, and R = Ra/Ro
///
/// Ra are the workers that take requests, Ro those that the load needs when each has as much to do
/// as it should: R is 1 where just as many run as are needed, above 1 where more do. The plot shows
/// R over the last decisions. The gateway's own rules say who may see it: `read_usage`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    listener: Listener,
    /// Go on, once a second; on a terminal in place
    #[arg(long)]
    watch: bool,
    /// Print what the gateway says, as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<Verdict, CliError> {
    let client = options.listener.client()?;
    asking::runtime()?.block_on(async {
        loop {
            show(options, &client).await?;
            if !options.watch {
                return Ok(Verdict::Well);
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

async fn show(options: &Options, client: &AdminClient) -> Result<(), CliError> {
    let answer = client.pools().await?;
    if options.json {
        return output::line(String::from_utf8_lossy(&answer.body).trim_end());
    }
    let pools = pools(&answer.body)?;
    if options.watch && std::io::stdout().is_terminal() {
        output::line(CLEARED)?;
    }
    let mut table = Table::new([
        "model",
        "version",
        "tenant",
        "workers",
        "of",
        "starting",
        "draining",
        "requests",
        "waiting",
        "R",
        "R of late",
    ]);
    pools.iter().for_each(|pool| table.row(row(pool)));
    table.print()
}

fn row(pool: &Pool) -> [String; 11] {
    let last = pool.history.last().and_then(|moment| moment.ratio);
    let failing = pool.failing_for_s.map(|seconds| format!("failing, again in {seconds} s"));
    [
        pool.model.clone(),
        pool.version.clone(),
        pool.tenant.clone().unwrap_or_else(|| "all".to_owned()),
        pool.ready.to_string(),
        format!("{}..{}", pool.min, pool.max),
        pool.starting.to_string(),
        pool.draining.to_string(),
        pool.in_flight.to_string(),
        pool.waiting.to_string(),
        last.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        failing.unwrap_or_else(|| pool.plot()),
    ]
}

const PAUSE: Duration = Duration::from_secs(1);
/// Cursor to the upper left, everything after it wiped (ECMA-48: CUP, ED).
const CLEARED: &str = "\x1b[H\x1b[J";
