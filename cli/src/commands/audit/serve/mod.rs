//! `sealgate audit serve`: the review page.

mod config;
mod reviewers;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;
use sealgate_review::page::{PageOptions, Pages};
use tokio::signal::unix::{SignalKind, signal};

use self::config::Config;
use super::asked::Asked;
use super::verify::Against;
use crate::error::CliError;
use crate::{Verdict, output};

/// Show the log in a browser
///
/// Prints a URL that opens the pages once, for the browser on this machine that uses it first. They
/// show requests, one request's story, events, policies and whether the log is whole, which is
/// verified in the background, and change nothing. With `--config` they are served over TLS to
/// whoever holds a token that the gateway's rules permit `review_audit`. Ends on Ctrl-C.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    against: Against,
    /// A policy folder: its rules are told in words for the requests that it decided
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// `review.toml`: serve a gateway's reviewers, over TLS
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "no_open"])]
    config: Option<PathBuf>,
    /// Where to listen, on loopback only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let config = options.config.as_deref().map(Config::read).transpose()?;
    // Questions can be answered as soon as the page is there.
    let (_, verdict) = options.asked.refreshed()?;
    let page = PageOptions {
        dir: options.asked.dir.clone(),
        index: options.asked.file(),
        policies: options.policies.clone(),
        against: options.against.read()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::io("start", "the runtime"))?;
    runtime.block_on(async {
        let stop = stopped()?;
        match &config {
            Some(config) => reviewers::serve(config, &page, stop).await,
            None => serve(&page, options, stop).await,
        }
    })?;
    // What goes on behind the pages ends with the process and not with them.
    runtime.shutdown_background();
    Ok(verdict)
}

/// For one person on this machine.
async fn serve(
    page: &PageOptions,
    options: &Options,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), CliError> {
    let pages = Pages::bind(options.listen, page).await?;
    output::line(pages.url())?;
    output::note("the URL works once, in one browser; Ctrl-C ends");
    if !options.no_open {
        open(pages.url());
    }
    Ok(pages.serve(stop).await?)
}

/// Ends when the process is told to end.
fn stopped() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let listen = |kind| signal(kind).map_err(CliError::io("listen for", "signals"));
    let (mut interrupt, mut terminate) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
    })
}

/// A machine without a browser is no error: the URL has been printed.
fn open(url: &str) {
    let _ = Command::new("xdg-open").arg(url).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}
