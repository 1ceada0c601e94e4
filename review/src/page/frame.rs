//! What stands around every page: head, banner, navigation.

use maud::{DOCTYPE, Markup, html};

use super::site::Site;
use super::watch::{Known, Verified};
use super::words::{number, text, time};
use crate::error::ReviewError;

/// The pages that the navigation leads to.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Tab {
    Overview,
    Requests,
    Events,
    Policies,
    Integrity,
    /// None of them.
    Other,
}

/// A whole page.
pub(super) fn page(site: &Site, tab: Tab, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Sealgate audit" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header {
                    p.name { "Sealgate " span.faint { "audit" } }
                    p.log { span.faint { "log " } (text(&site.origin)) }
                    nav aria-label="Pages" { ul {
                        @for (target, href, name) in TABS {
                            li { a href=(href) aria-current=[(tab == target).then_some("page")] { (name) } }
                        }
                    } }
                    @if site.signed_in {
                        form.leave method="post" action="/leave" { button { "Sign out" } }
                    }
                }
                (banner(&site.watch.known()))
                main id="main" tabindex="-1" {
                    h1 { (title) }
                    (content)
                }
                footer {
                    p { "Questions are answered from an index; a request's story, events and this banner
                        from the log itself. Times are UTC." }
                }
            }
        }
    }
}

/// What is known of the log's wholeness, on every page.
fn banner(known: &Known) -> Markup {
    let (class, words) = match (&known.verified, known.percent) {
        (Some(verified), _) => verdict(verified),
        (None, percent) => (
            "unknown",
            html! { "Verifying the log: " (percent.unwrap_or(0)) " % done. Until then nothing here is known to be whole." },
        ),
    };
    let (mark, label) = match class {
        "whole" => ("✓", "Whole"),
        "broken" => ("✗", "Not whole"),
        _ => ("…", "Not yet known"),
    };
    html! {
        section #integrity class={ "banner " (class) } aria-label="Integrity of the log"
            role=[(class == "broken").then_some("alert")] {
            strong { span aria-hidden="true" { (mark) " " } (label) }
            span { (words) }
            a href="/integrity" { "Details" }
        }
        @if let Some(behind) = &known.behind {
            section.banner.broken role="alert" aria-label="Index" {
                strong { "Incomplete" }
                span { "What follows is not shown: " (text(behind)) }
            }
        }
    }
}

fn verdict(verified: &Verified) -> (&'static str, Markup) {
    let at = time(verified.at_us);
    match &verified.result {
        Ok(report) if report.is_well() => {
            let signed = report.checkpoint.map_or(0, |checkpoint| checkpoint.size);
            let key = if report.key_is_pinned {
                "by the pinned key"
            } else {
                "by the key it names itself"
            };
            let words = html! {
                (number(report.records)) " records, " (number(signed)) " of them under a checkpoint
                signed " (key) ". Verified " (at) "."
            };
            ("whole", words)
        }
        Ok(report) => {
            let count = report.findings.len() as u64 + report.findings_dropped;
            let first = report.findings.first().map(ToString::to_string).unwrap_or_default();
            let words = html! {
                "This log is not what was written. "
                (number(count)) @if count == 1 { " finding" } @else { " findings" }
                ", the first: " (text(&first)) ". Verified " (at) "."
            };
            ("broken", words)
        }
        Err(error) => ("broken", html! { "The log cannot be verified: " (text(error)) }),
    }
}

/// A page about something that went wrong.
pub(super) fn failure(site: &Site, error: &ReviewError) -> Markup {
    let mut message = error.to_string();
    let hint = message.split_once("\nhint: ").map(|(_, hint)| hint.to_owned());
    message.truncate(message.find("\nhint: ").unwrap_or(message.len()));
    let content = html! {
        p.wrong role="alert" { (text(&message)) }
        @if let Some(hint) = hint { p { (text(&hint)) } }
        p { a href="/requests" { "All requests" } }
    };
    page(site, Tab::Other, "That did not work", &content)
}

const TABS: [(Tab, &str, &str); 5] = [
    (Tab::Overview, "/", "Overview"),
    (Tab::Requests, "/requests", "Requests"),
    (Tab::Events, "/events", "Events"),
    (Tab::Policies, "/policies", "Policies"),
    (Tab::Integrity, "/integrity", "Integrity"),
];
