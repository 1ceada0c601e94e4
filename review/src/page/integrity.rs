//! Whether the log is whole, in full.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use sealgate_audit::Report;

use super::frame::{self, Tab};
use super::site::Site;
use super::story::facts;
use super::words::{number, text, time};

/// `GET /integrity`
pub(super) async fn page(State(site): State<Arc<Site>>) -> Response {
    site.page(|site, _| Ok(frame::page(site, Tab::Integrity, "Integrity", &content(site)))).await
}

fn content(site: &Site) -> Markup {
    let known = site.watch.known();
    html! {
        @match known.verified.as_ref().map(|verified| (verified, &verified.result)) {
            None => p { "The first verification is under way." }
            Some((_, Err(error))) => p.wrong { (text(error)) }
            Some((verified, Ok(report))) => {
                p { "Every byte was read and every checkpoint checked. " span.faint { "Ended " (time(verified.at_us)) "." } }
                (findings(report))
                section.panel aria-labelledby="found" {
                    h2 #found { "What was found" }
                    (facts(&said(report)))
                }
            }
        }
        @if let Some(percent) = known.percent { p.faint { "A verification is under way: " (percent) " %." } }
        p.faint {
            "This page is as good as the machine it runs on. What is kept as evidence is verified
            elsewhere: " code { "sealgate audit verify DIR --key FILE --since FILE" } "."
        }
    }
}

fn findings(report: &Report) -> Markup {
    html! {
        @if !report.is_well() {
            section.panel aria-labelledby="wrong" { h2 #wrong { "What is wrong" }
            div.scroll tabindex="0" role="region" aria-labelledby="wrong" { table {
                thead { tr {
                    th scope="col" { "What" } th.number scope="col" { "Record" }
                    th scope="col" { "File" } th.number scope="col" { "Byte" }
                } }
                tbody { @for finding in &report.findings {
                    tr {
                        th scope="row" { (text(&finding.what.to_string())) }
                        td.number { (number(finding.record)) }
                        td { code { (text(&finding.file)) } }
                        td.number { (number(finding.offset)) }
                    }
                } }
            } }
            @if report.findings_dropped > 0 { p { "And " (number(report.findings_dropped)) " more." } }
            }
        }
    }
}

fn said(report: &Report) -> Vec<(&'static str, String)> {
    let mut said = vec![
        ("first record", number(report.first_record)),
        ("records", number(report.records)),
        ("allowed requests without an outcome", number(report.unended.count)),
        ("behind the last checkpoint", number(report.unsigned_records)),
        ("checkpoints", number(report.checkpoints)),
        ("bytes", number(report.bytes)),
        (
            "state",
            if report.live { "a gateway is writing it" } else { "nobody writes it" }.to_owned(),
        ),
    ];
    if let Some(checkpoint) = &report.checkpoint {
        said.push((
            "last checkpoint that held",
            format!("over {} records", number(checkpoint.size)),
        ));
        said.push(("its root", hex::encode(checkpoint.root)));
    }
    if let Some(key) = &report.key {
        let pinned = if report.key_is_pinned { "as pinned" } else { "by the log's own word" };
        said.push(("key", format!("{key}, {pinned}")));
    }
    said
}
