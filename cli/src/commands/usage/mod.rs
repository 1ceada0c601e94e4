//! `sealgate usage`: what was used, what it cost, and what it will have cost.

mod budgets;
mod forecast;
mod idle;
mod money;
mod month;
mod plot;
mod print;
mod report;

use std::path::PathBuf;

use clap::Args;
use sealgate_review::{Filter, Moment, UsageBy};

use super::audit::Asked;
use crate::clock::now_us;
use crate::error::CliError;
use crate::{Verdict, output};
use report::Report;

/// Tell what was used of workers and what it cost, by the audit log
///
/// Requests, rows, the time that workers were busy, that time with the memory accounted for them,
/// and bytes; with prices in limits.toml, money, and what is left of budgets. Whole hours in UTC
/// count. Refreshes the log's index first. Exit code 1 when the log could not be read to its end.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    /// Tell apart by: tenant, caller, issuer, client, model, day, hour
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "tenant")]
    by: Vec<UsageBy>,
    /// From then on: `2026-11-18`, `2026-11-18T12:00:00Z`, `today`, `24h` [default: the first of this
    /// month]
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only this tenant's
    #[arg(long)]
    tenant: Option<String>,
    /// Only of this model
    #[arg(long)]
    model: Option<String>,
    /// What the month is expected to cost, and how far off that may be
    #[arg(long)]
    forecast: bool,
    /// What it would cost at the prices in this limits.toml, instead of what was charged
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Print the table as CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(options: &Options) -> Result<Verdict, CliError> {
    let (index, verdict) = options.asked.refreshed()?;
    let now_us = now_us();
    let at = |moment: Option<Moment>| moment.map(|moment| moment.us(now_us));
    let filter = Filter {
        since_us: Some(at(options.since).unwrap_or_else(|| month::begins_us(now_us))),
        until_us: at(options.until),
        tenant: options.tenant.clone(),
        model: options.model.clone(),
        ..Filter::default()
    };
    let report = Report::of(options, &index, filter, now_us)?;
    match (options.json, options.csv) {
        (true, _) => output::json(&report)?,
        (_, true) => print::csv(&report)?,
        _ => print::text(&report)?,
    }
    Ok(verdict)
}
