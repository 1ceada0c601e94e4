//! The overview: how much, by whom, of what, and why not.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use sealgate_audit::Verdict;
use serde::Deserialize;

use super::chart::{Bar, bars, share, spark};
use super::form::Form;
use super::frame::{self, Tab};
use super::range::{Range, Spans};
use super::site::Site;
use super::words::{dash, milliseconds, number, percent, text_or_dash};
use crate::error::ReviewError;
use crate::index::Index;
use crate::moment::instant;
use crate::query::{Dimension, Filter, Point, Total};

#[derive(Deserialize)]
pub(super) struct Asked {
    range: Option<Range>,
}

/// `GET /`
pub(super) async fn page(State(site): State<Arc<Site>>, Query(asked): Query<Asked>) -> Response {
    site.page(move |site, index| {
        let range = Range::choose(asked.range, index)?;
        let content = content(index, range)?;
        Ok(frame::page(site, Tab::Overview, "Overview", &content))
    })
    .await
}

fn content(index: &Index, range: Range) -> Result<Markup, ReviewError> {
    let since_us = range.since_us();
    let filter = Filter { since_us, ..Filter::default() };
    let form = Form { since: since_us.map(instant).unwrap_or_default(), ..Form::default() };
    let whole = index.totals(&filter, &[], 1)?;
    let unknown: u64 = index.refusals(&filter)?.iter().map(|refusal| refusal.count).sum();
    let spans = Spans::of(range, index)?;
    let points = index.series(&filter, spans.step_hours)?;
    Ok(html! {
        (choice(range))
        @if let Some(total) = whole.first() { (figures(total, unknown)) }
        (over_time(&spans, &points))
        (models(index, &filter, &form, &spans, &points)?)
        div.panels {
            (ranking(&Ranking {
                title: "Why requests were denied",
                by: "Reason",
                totals: denied_by_code(index, &filter)?,
                link: &|code| Form { verdict: "deny".into(), code: code.into(), ..form.clone() },
            }))
            (ranking(&Ranking {
                title: "Callers",
                by: "Subject",
                totals: index.totals(&filter, &[Dimension::Caller], TOP)?,
                link: &|subject| Form { subject: subject.into(), ..form.clone() },
            }))
            (ranking(&Ranking {
                title: "What became of what was allowed",
                by: "Result",
                totals: allowed_by_code(index, &filter)?,
                link: &|code| Form { verdict: "allow".into(), code: code.into(), ..form.clone() },
            }))
            (ranking(&Ranking {
                title: "Tenants",
                by: "Tenant",
                totals: index.totals(&filter, &[Dimension::Tenant], TOP)?,
                link: &|tenant| Form { tenant: tenant.into(), ..form.clone() },
            }))
            (unknown_callers(index, &filter)?)
            (ranking(&Ranking {
                title: "Rules that decided",
                by: "Rule",
                totals: index.totals(&filter, &[Dimension::Rule], TOP)?,
                link: &|rule| Form { rule: rule.into(), ..form.clone() },
            }))
        }
    })
}

fn choice(now: Range) -> Markup {
    html! {
        nav.choice aria-label="Time" { ul {
            @for range in Range::ALL {
                li { a href={ "/?range=" (range.as_str()) } aria-current=[(range == now).then_some("true")] { (range.words()) } }
            }
        } }
    }
}

fn figures(total: &Total, unknown: u64) -> Markup {
    let figure = |name: &str, value: String, more: String| {
        html! { div { dt { (name) } dd { (value) @if !more.is_empty() { small { (more) } } } } }
    };
    let mean =
        total.mean_us().map_or_else(|| "–".to_owned(), |us| format!("{} ms", milliseconds(us)));
    html! {
        dl.figures {
            (figure("Requests", number(total.requests), String::new()))
            (figure("Denied", number(total.denied), percent(total.denied, total.requests)))
            (figure("Rows scored", number(total.rows), String::new()))
            (figure("Mean time", mean, String::new()))
            (figure("Refused unknown", number(unknown), String::new()))
        }
    }
}

fn over_time(spans: &Spans, points: &[Point]) -> Markup {
    let mut by_span = vec![Bar::default(); spans.count()];
    for point in points {
        if let Some(bar) = by_span.get_mut(spans.place(point.hour)) {
            bar.allowed += point.requests.saturating_sub(point.denied);
            bar.denied += point.denied;
        }
    }
    let most = by_span.iter().map(|bar| bar.allowed + bar.denied).max().unwrap_or(0);
    let label = format!("Requests over time: at most {} in {}", number(most), spans.words());
    let filled = by_span.iter().enumerate().filter(|(_, bar)| **bar != Bar::default());
    html! {
        section.panel aria-labelledby="over-time" {
            h2 #over-time { "Requests over time" }
            p.legend {
                span.key.allowed { "allowed" } span.key.denied { "denied" }
                span.faint { "most " (number(most)) " in " (spans.words()) }
            }
            (bars(&by_span, &label))
            p.axis { span { (spans.first()) } span { (spans.last()) } }
            details {
                summary { "As a table" }
                div.scroll tabindex="0" role="region" aria-label="Requests over time, as a table" { table {
                    thead { tr { th scope="col" { "From" } th.number scope="col" { "Allowed" } th.number scope="col" { "Denied" } } }
                    tbody { @for (i, bar) in filled {
                        tr { th scope="row" { (spans.begin(i)) } td.number { (number(bar.allowed)) } td.number { (number(bar.denied)) } }
                    } }
                } }
            }
        }
    }
}

fn models(
    index: &Index,
    filter: &Filter,
    form: &Form,
    spans: &Spans,
    points: &[Point],
) -> Result<Markup, ReviewError> {
    let totals = index.totals(filter, &[Dimension::Model], TOP)?;
    let mut lines: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for point in points {
        let line = lines.entry(&point.model).or_insert_with(|| vec![0; spans.count()]);
        if let Some(value) = line.get_mut(spans.place(point.hour)) {
            *value += point.requests;
        }
    }
    let mean = |total: &Total| total.mean_us().map_or_else(dash, |us| html! { (milliseconds(us)) });
    Ok(html! {
        section.panel aria-labelledby="models" {
            h2 #models { "Models" }
            div.scroll tabindex="0" role="region" aria-labelledby="models" { table {
                thead { tr {
                    th scope="col" { "Model" } th.number scope="col" { "Requests" }
                    th.number scope="col" { "Denied" } th.number scope="col" { "Rows" }
                    th.number scope="col" { "Mean ms" } th scope="col" { "Over time" }
                } }
                tbody { @for total in &totals {
                    @let name = total.key.first().map(String::as_str).unwrap_or_default();
                    tr {
                        th scope="row" { (linked(name, &Form { model: name.into(), ..form.clone() })) }
                        td.number { (number(total.requests)) }
                        td.number { (percent(total.denied, total.requests)) }
                        td.number { (number(total.rows)) }
                        td.number { (mean(total)) }
                        td { @if let Some(line) = lines.get(name) { (spark(line)) } }
                    }
                } }
            } }
        }
    })
}

/// Totals as a list with bars.
struct Ranking<'a> {
    title: &'static str,
    by: &'static str,
    totals: Vec<Total>,
    link: &'a dyn Fn(&str) -> Form,
}

fn ranking(ranking: &Ranking<'_>) -> Markup {
    let rows: Vec<_> = ranking
        .totals
        .iter()
        .map(|total| {
            let name = total.key.first().map(String::as_str).unwrap_or_default();
            (linked(name, &(ranking.link)(name)), total.requests)
        })
        .collect();
    list(ranking.title, ranking.by, "Requests", &rows)
}

fn unknown_callers(index: &Index, filter: &Filter) -> Result<Markup, ReviewError> {
    let refusals = index.refusals(filter)?;
    let rows: Vec<_> =
        refusals.iter().map(|refusal| (text_or_dash(&refusal.reason), refusal.count)).collect();
    Ok(list("Unknown callers refused", "Reason", "Refused", &rows))
}

fn list(title: &str, by: &str, what: &str, rows: &[(Markup, u64)]) -> Markup {
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let id = title.to_ascii_lowercase().replace(' ', "-");
    html! {
        section.panel aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if rows.is_empty() { p.faint { "None." } } @else {
                table.list {
                    thead.away { tr { th scope="col" { (by) } th.number scope="col" { (what) } td {} } }
                    tbody { @for (name, count) in rows {
                        tr { th scope="row" { (name) } td.number { (number(*count)) } td.meter { (share(*count, most)) } }
                    } }
                }
            }
        }
    }
}

/// A name that leads to its requests; one that is empty cannot be asked for.
fn linked(name: &str, form: &Form) -> Markup {
    match name {
        "" => text_or_dash(name),
        name => html! { a href=(form.link("/requests")) { (text_or_dash(name)) } },
    }
}

fn denied_by_code(index: &Index, filter: &Filter) -> Result<Vec<Total>, ReviewError> {
    let denied = Filter { verdict: Some(Verdict::Deny), ..filter.clone() };
    index.totals(&denied, &[Dimension::Code], TOP)
}

fn allowed_by_code(index: &Index, filter: &Filter) -> Result<Vec<Total>, ReviewError> {
    let allowed = Filter { verdict: Some(Verdict::Allow), ..filter.clone() };
    index.totals(&allowed, &[Dimension::Code], TOP)
}

const TOP: u32 = 8;
