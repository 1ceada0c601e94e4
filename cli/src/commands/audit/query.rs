//! `sealgate audit query`: requests and totals.

use clap::Args;
use sealgate_audit as audit;
use sealgate_review::{Dimension, Index, Page, RefusalCount, Request, Total, instant};
use serde::Serialize;

use super::asked::Asked;
use super::filter::Filters;
use crate::error::CliError;
use crate::table::Table;
use crate::{Verdict, output};

/// List the requests on record, or count them
///
/// Without `--by` lists requests, the newest first. The code of a denied request is the reason, that
/// of an allowed one the result, and `allowed` while there is none. Refreshes the index first. Exit
/// code 1 when the log could not be read to its end.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    filters: Filters,
    /// Count instead, apart by: tenant, caller, issuer, client, model, action, verdict, code, rule,
    /// day, hour, or `refusal` alone for those refused before anyone was authenticated
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    by: Vec<By>,
    /// How many requests or totals at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Only requests older than this record: the `next` of the page before
    #[arg(long, value_name = "RECORD")]
    behind: Option<u64>,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

/// What to count by. What unknown callers were refused for is a table of its own.
#[derive(Clone, Copy, Eq, PartialEq)]
enum By {
    Dimension(Dimension),
    Refusal,
}

impl std::str::FromStr for By {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "refusal" => Ok(Self::Refusal),
            name => name.parse().map(Self::Dimension),
        }
    }
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let (index, verdict) = options.asked.refreshed()?;
    match options.by.as_slice() {
        [] => requests(options, &index)?,
        [By::Refusal] => refusals(options, &index)?,
        by => {
            let dimension = |by: &By| match by {
                By::Dimension(dimension) => Ok(*dimension),
                By::Refusal => Err(CliError::RefusalsAlone),
            };
            let by: Vec<_> = by.iter().map(dimension).collect::<Result<_, _>>()?;
            totals(options, &index, &by)?;
        }
    }
    Ok(verdict)
}

fn requests(options: &Options, index: &Index) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report {
        requests: Vec<Request>,
        /// For `--behind`, if there may be more.
        next: Option<u64>,
    }
    let page = Page { behind: options.behind, limit: options.limit, ..Page::default() };
    let requests = index.requests(&options.filters.filter(), &page)?;
    let full = requests.len() == options.limit as usize;
    let next = requests.last().filter(|_| full).map(|last| last.n);
    if options.json {
        return output::json(&Report { requests, next });
    }
    let mut table = Table::new(COLUMNS);
    for request in &requests {
        table.row(cells(request));
    }
    table.print()?;
    if let Some(next) = next {
        output::note(format_args!("there may be more: --behind {next}"));
    }
    Ok(())
}

/// A request as a row of [`COLUMNS`].
pub(super) fn cells(request: &Request) -> [String; COLUMNS.len()] {
    let verdict = match request.verdict {
        audit::Verdict::Allow => "allow",
        audit::Verdict::Deny => "deny",
    };
    [
        instant(request.time_us),
        request.request_id.clone(),
        request.caller.tenant.clone(),
        request.caller.subject.clone(),
        request.action.clone(),
        request.model.clone(),
        verdict.to_owned(),
        request.code.clone(),
        request.rows.map(|rows| rows.to_string()).unwrap_or_default(),
        request.total_us.map(milliseconds).unwrap_or_default(),
    ]
}

fn totals(options: &Options, index: &Index, by: &[Dimension]) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report {
        by: Vec<&'static str>,
        totals: Vec<Total>,
    }
    let totals = index.totals(&options.filters.filter(), by, options.limit)?;
    let by: Vec<_> = by.iter().map(|dimension| dimension.as_str()).collect();
    if options.json {
        return output::json(&Report { by, totals });
    }
    let mut table = Table::new(by.into_iter().chain(["requests", "denied", "rows", "mean ms"]));
    for total in totals {
        let mean = total.mean_us().map(milliseconds).unwrap_or_default();
        let numbers = [total.requests, total.denied, total.rows].map(|number| number.to_string());
        table.row(total.key.into_iter().chain(numbers).chain([mean]));
    }
    table.print()
}

fn refusals(options: &Options, index: &Index) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report {
        refusals: Vec<RefusalCount>,
    }
    let refusals = index.refusals(&options.filters.filter())?;
    if options.json {
        return output::json(&Report { refusals });
    }
    let mut table = Table::new(["reason", "refused"]);
    for refusal in refusals {
        table.row([refusal.reason, refusal.count.to_string()]);
    }
    table.print()
}

fn milliseconds(us: impl Into<u64>) -> String {
    let us = us.into();
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

/// What is shown of a request.
pub(super) const COLUMNS: [&str; 10] =
    ["time", "request", "tenant", "subject", "action", "model", "verdict", "code", "rows", "ms"];
