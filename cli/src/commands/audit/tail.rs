//! `sealgate audit tail`: the newest requests, and those to come.

use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use sealgate_review::{Order, Page, Request, inert};

use super::asked::{Asked, verdict};
use super::filter::Filters;
use super::query::cells;
use crate::error::CliError;
use crate::{Verdict, output};

/// Show the newest requests, and with `-f` those to come
///
/// A request that is still being worked on is shown as `allowed`; it is not shown again when its
/// outcome comes.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    filters: Filters,
    /// How many to begin with
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    lines: u32,
    /// Go on until interrupted
    #[arg(short, long)]
    follow: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let (mut index, mut ended) = options.asked.refreshed()?;
    let filter = options.filters.filter();
    let newest = Page { limit: options.lines, ..Page::default() };
    let mut shown = index.requests(&filter, &newest)?;
    shown.reverse();
    let mut behind = shown.last().map_or(0, |last| last.n);
    let mut reader = print(&shown)?;
    while options.follow && reader.is_continue() && matches!(ended, Verdict::Well) {
        sleep(POLL);
        ended = verdict(&index.refresh(&mut |_, _| {})?);
        let page = Page { order: Order::OldestFirst, behind: Some(behind), limit: PAGE_REQUESTS };
        let new = index.requests(&filter, &page)?;
        behind = new.last().map_or(behind, |last| last.n);
        reader = print(&new)?;
    }
    Ok(ended)
}

fn print(requests: &[Request]) -> Result<ControlFlow<()>, CliError> {
    for request in requests {
        let line = inert(&cells(request).join("  "));
        if output::line_while_read(line)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

const POLL: Duration = Duration::from_millis(500);
const PAGE_REQUESTS: u32 = 1_000;
