//! The table of requests, with filters, pages and exports.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};

use super::form::Form;
use super::frame::{self, Tab};
use super::site::Site;
use super::words::{dash, milliseconds, number, result, short, text, text_or_dash, time};
use crate::error::ReviewError;
use crate::index::Index;
use crate::query::{Dimension, Filter, Page, Request};

/// `GET /requests`
pub(super) async fn page(State(site): State<Arc<Site>>, Query(form): Query<Form>) -> Response {
    site.page(move |site, index| {
        let content = content(index, &form)?;
        Ok(frame::page(site, Tab::Requests, "Requests", &content))
    })
    .await
}

fn content(index: &Index, form: &Form) -> Result<Markup, ReviewError> {
    let filter = form.filter()?;
    let page = Page { behind: form.behind()?, limit: PAGE_REQUESTS, ..Page::default() };
    let requests = index.requests(&filter, &page)?;
    let next = requests.last().filter(|_| requests.len() == page.limit as usize);
    Ok(html! {
        (filters(index, form)?)
        p.tools {
            span.faint { "Export this selection: " }
            a href=(form.first_page().link("/export/csv")) { "CSV" } " "
            a href=(form.first_page().link("/export/ocsf")) { "OCSF" }
        }
        @if requests.is_empty() {
            p.none { "No request is like this." }
        } @else {
            (table(&requests))
        }
        nav.pages aria-label="Pages of requests" {
            @if page.behind.is_some() {
                a rel="first" href=(form.first_page().link("/requests")) { "Newest" }
            }
            @if let Some(last) = next {
                @let older = Form { behind: last.n.to_string(), ..form.clone() };
                a rel="next" href=(older.link("/requests")) { "Older" }
            }
        }
    })
}

fn table(requests: &[Request]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Requests" { table.requests {
            thead { tr {
                th scope="col" { "Time" } th scope="col" { "Request" } th scope="col" { "Subject" }
                th scope="col" { "Tenant" } th scope="col" { "Action" } th scope="col" { "Model" }
                th scope="col" { "Result" } th.number scope="col" { "Rows" } th.number scope="col" { "ms" }
            } }
            tbody { @for request in requests { (row(request)) } }
        } }
    }
}

fn row(request: &Request) -> Markup {
    let rows = request.rows.map_or_else(dash, |rows| html! { (number(rows.into())) });
    let took = request.total_us.map_or_else(dash, |us| html! { (milliseconds(us.into())) });
    html! {
        tr {
            td { (time(request.time_us)) }
            th scope="row" { a href=(story_link(&request.request_id)) { (short(&request.request_id)) } }
            td.long { (text_or_dash(&request.caller.subject)) }
            td.long { (text_or_dash(&request.caller.tenant)) }
            td { (text(&request.action)) }
            td.long { (text_or_dash(&request.model)) }
            td { (result(request)) }
            td.number { (rows) }
            td.number { (took) }
        }
    }
}

/// Where a request's story is told.
pub(super) fn story_link(id: &str) -> String {
    // An id is hexadecimal; in a log that somebody else wrote it may be anything.
    let safe: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("/requests/{safe}")
}

fn filters(index: &Index, form: &Form) -> Result<Markup, ReviewError> {
    let all = Filter::default();
    let names = |dimension| -> Result<Vec<String>, ReviewError> {
        let totals = index.totals(&all, &[dimension], SUGGESTIONS)?;
        Ok(totals.into_iter().filter_map(|total| total.key.into_iter().next()).collect())
    };
    let more = [&form.issuer, &form.client, &form.action, &form.rule, &form.status, &form.mode];
    Ok(html! {
        form.filters action="/requests" method="get" role="search" aria-label="Filter requests" {
            (field("search", "Begins with", &form.search, Some("request, subject, model, code, …")))
            (field("since", "Since", &form.since, Some("24h, yesterday, 2026-11-18")))
            (field("until", "Until", &form.until, Some("today, 2026-11-18T12:00:00Z")))
            (field("subject", "Subject", &form.subject, None))
            (suggested("tenant", "Tenant", &form.tenant, &names(Dimension::Tenant)?))
            (suggested("model", "Model", &form.model, &names(Dimension::Model)?))
            (choice("verdict", "Verdict", &form.verdict, &["allow", "deny"]))
            (suggested("code", "Code", &form.code, &names(Dimension::Code)?))
            details open[more.iter().any(|text| !text.is_empty())] {
                summary { "More" }
                div {
                    (suggested("action", "Action", &form.action, &names(Dimension::Action)?))
                    (suggested("rule", "Rule", &form.rule, &names(Dimension::Rule)?))
                    (field("status", "Status", &form.status, Some("200")))
                    (choice("mode", "Sealed by", &form.mode, &["gateway-sealed", "client-sealed"]))
                    (field("issuer", "Issuer", &form.issuer, None))
                    (field("client", "Client", &form.client, None))
                }
            }
            p.act { button type="submit" { "Filter" } " " a href="/requests" { "Clear" } }
        }
    })
}

fn field(name: &str, label: &str, value: &str, example: Option<&str>) -> Markup {
    html! {
        p {
            label for=(name) { (label) }
            input type="text" id=(name) name=(name) value=(value) placeholder=[example]
                autocomplete="off" spellcheck="false";
        }
    }
}

fn suggested(name: &str, label: &str, value: &str, names: &[String]) -> Markup {
    let list = format!("{name}-names");
    html! {
        p {
            label for=(name) { (label) }
            input type="text" id=(name) name=(name) value=(value) list=(list)
                autocomplete="off" spellcheck="false";
            datalist id=(list) { @for name in names { option value=(name) {} } }
        }
    }
}

fn choice(name: &str, label: &str, value: &str, choices: &[&str]) -> Markup {
    html! {
        p {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" { "any" }
                @for choice in choices {
                    option value=(choice) selected[*choice == value] { (choice) }
                }
            }
        }
    }
}

const PAGE_REQUESTS: u32 = 50;
const SUGGESTIONS: u32 = 50;
