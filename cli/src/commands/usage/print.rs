//! A report as tables and bars, or as CSV.

use sealgate_review::export::neutral;

use super::money::{bytes, guessed, seconds, short};
use super::plot::bars;
use super::report::{Line, Report};
use crate::error::CliError;
use crate::output::line;
use crate::table::Table;

/// For people.
pub(super) fn text(report: &Report) -> Result<(), CliError> {
    line(format_args!("from {} to {} (UTC, whole hours)", report.since, report.until))?;
    line("")?;
    used(report)?;
    over_time(report)?;
    budgets(report)?;
    idle(report)?;
    forecast(report)
}

fn used(report: &Report) -> Result<(), CliError> {
    let measures = ["requests", "rows", "busy s", "GB s", "in", "out"];
    let names = report.by.iter().copied().chain(measures);
    let mut table = Table::new(names.chain(report.currency.as_deref()));
    for used in &report.used {
        table.row(cells(used, used.key.clone(), report));
    }
    let mut total = vec![String::new(); report.by.len()];
    if let Some(first) = total.first_mut() {
        *first = "total".to_owned();
    }
    table.row(cells(&report.total, total, report));
    table.print()
}

fn cells(used: &Line, key: Vec<String>, report: &Report) -> Vec<String> {
    let none = |name: String| if name.is_empty() { "-".to_owned() } else { name };
    let is_total = key.first().is_some_and(|first| first == "total") && key.len() > 1;
    let key = key.into_iter().map(|name| if is_total { name } else { none(name) });
    let measures = [
        used.requests.to_string(),
        used.rows.to_string(),
        seconds(used.busy_us),
        used.gb_seconds.clone(),
        bytes(used.bytes_in),
        bytes(used.bytes_out),
    ];
    let cost = report.currency.as_ref().map(|_| short(used.picos));
    key.chain(measures).chain(cost).collect()
}

fn over_time(report: &Report) -> Result<(), CliError> {
    if report.over_time.is_empty() {
        return Ok(());
    }
    line("")?;
    let what = report.currency.as_deref().unwrap_or("busy s");
    line(format_args!("{what} over time"))?;
    let value = |used: &Line| match report.currency {
        Some(_) => (used.picos, short(used.picos)),
        None => (used.busy_us.into(), seconds(used.busy_us)),
    };
    let values: Vec<_> = report
        .over_time
        .iter()
        .map(|used| {
            let (value, words) = value(used);
            (used.key.first().cloned().unwrap_or_default(), value, words)
        })
        .collect();
    bars(&values).into_iter().try_for_each(line)
}

fn budgets(report: &Report) -> Result<(), CliError> {
    if report.budgets.is_empty() {
        return Ok(());
    }
    line("")?;
    let mut table = Table::new(["budget", "of this", "whose", "spent", "of", "%"]);
    for budget in &report.budgets {
        table.row([
            budget.budget.clone(),
            budget.per.clone(),
            budget.whose.clone(),
            short(budget.picos),
            budget.amount.clone(),
            budget.percent.to_string(),
        ]);
    }
    table.print()
}

fn idle(report: &Report) -> Result<(), CliError> {
    if report.idle.is_empty() {
        return Ok(());
    }
    line("")?;
    line("kept, and not at work (nobody is charged for it)")?;
    let names = ["model", "workers", "there s", "busy s", "idle GB s"];
    let mut table = Table::new(names.into_iter().chain(report.currency.as_deref()));
    for idle in &report.idle {
        let measures = [
            idle.model.clone(),
            idle.workers.to_string(),
            seconds(idle.alive_us),
            seconds(idle.busy_us),
            idle.gb_seconds.clone(),
        ];
        let cost = report.currency.as_ref().map(|_| idle.picos.map(short).unwrap_or_default());
        table.row(measures.into_iter().chain(cost));
    }
    table.print()
}

fn forecast(report: &Report) -> Result<(), CliError> {
    let Some(expected) = &report.forecast else { return Ok(()) };
    line("")?;
    let currency = report.currency.as_deref().unwrap_or_default();
    let range = match expected.range {
        Some((low, high)) => format!(", with 80 % from {} to {}", guessed(low), guessed(high)),
        None => ", without a range: too few days are known".to_owned(),
    };
    let by = if expected.weekdays { "a trend and the weekdays" } else { "a trend" };
    let total = guessed(expected.total);
    line(format_args!(
        "{} is expected to cost {total} {currency}{range}: by {by} of {} days, if all goes on so",
        expected.month, expected.days
    ))
}

/// For spreadsheets: RFC 4180, money and GB-seconds exact.
pub(super) fn csv(report: &Report) -> Result<(), CliError> {
    let measures =
        ["requests", "rows", "busy_us", "gb_seconds", "bytes_in", "bytes_out", "cost", "currency"];
    let names = report.by.iter().copied().chain(measures).map(str::to_owned);
    line(record(names))?;
    for used in &report.used {
        let measures = [
            used.requests.to_string(),
            used.rows.to_string(),
            used.busy_us.to_string(),
            used.gb_seconds.clone(),
            used.bytes_in.to_string(),
            used.bytes_out.to_string(),
            used.cost.clone(),
            report.currency.clone().unwrap_or_default(),
        ];
        line(record(used.key.iter().cloned().chain(measures)))?;
    }
    Ok(())
}

fn record(cells: impl Iterator<Item = String>) -> String {
    cells.map(cell).collect::<Vec<_>>().join(",")
}

/// A name may hold what a spreadsheet takes for a formula, or what ends a cell.
fn cell(text: String) -> String {
    let text = neutral(&text);
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_name_is_one_cell_and_no_formula() {
        let cell = |text: &str| cell(text.to_owned());
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("2026-11-24"), "2026-11-24");
    }
}
