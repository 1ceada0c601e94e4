//! One request's story: a timeline, read from the log.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use sealgate_audit::{Event, Text, Verdict, VerifierKey};
use sealgate_policies::ShownRule;

use super::frame::{self, Tab};
use super::rules::Rules;
use super::site::Site;
use super::words::{number, text, time};
use crate::error::ReviewError;
use crate::index::Index;
use crate::story::{Part, Proved, Words, words};

/// `GET /requests/ID`
pub(super) async fn page(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    site.page(move |site, index| {
        let content = content(site, index, &id)?;
        Ok(frame::page(site, Tab::Requests, "One request", &content))
    })
    .await
}

fn content(site: &Site, index: &Index, id: &str) -> Result<Markup, ReviewError> {
    let story = index.story(id)?;
    let begun_us = story.parts.first().map_or(0, |part| part.record.time_us);
    let key = site.watch.key();
    Ok(html! {
        p.id { span.faint { "request " } code { (text(&story.request_id)) } }
        ol.timeline {
            @for part in &story.parts {
                (entry(part, part.record.time_us.saturating_sub(begun_us), &proved(site, part, key.as_ref())))
            }
        }
        (rules(site.rules.as_ref(), &story.parts))
    })
}

fn entry(part: &Part, after_us: u64, proved: &Markup) -> Markup {
    let Words { title, facts: said } = words(&part.record.event);
    let (record, class) = (&part.record, class(&part.record.event));
    html! {
        li class=(class) {
            p.when { (time(record.time_us)) @if after_us > 0 { " " span.faint { "+" (after_us) " µs" } } }
            h2 { (text(&title)) }
            (facts(&said))
            p.place {
                span.faint { "record " } (record.n)
                span.faint { " · " } (text(&part.file)) span.faint { " at byte " } (part.at)
                span.faint { " · leaf " } code { (part.leaf) }
                br;
                (proved)
            }
        }
    }
}

/// What came of proving the record, here and now, from the log's tiles.
fn proved(site: &Site, part: &Part, key: Option<&VerifierKey>) -> Markup {
    match key.map(|key| part.prove(&site.dir, key)) {
        None => html! { span.faint { "its proof waits for the first verification" } },
        Some(Proved::Under(size)) => html! {
            span.proved { "✓ proved" } span.faint { " under the checkpoint over " (number(size)) " records" }
        },
        Some(Proved::NotYet) => html! { span.faint { "the next checkpoint will prove it" } },
        Some(Proved::No(why)) => html! { span.wrong { "✗ not proved: " (text(&why)) } },
    }
}

/// What a record says, name by name.
pub(super) fn facts(said: &[(&'static str, String)]) -> Markup {
    html! {
        dl.facts { @for (name, value) in said {
            @if value.len() >= LONG_BYTES {
                div.whole { dt { (name) } dd.digest { (text(value)) } }
            } @else {
                div { dt { (name) } dd { (text(value)) } }
            }
        } }
    }
}

fn class(event: &Event) -> &'static str {
    match event {
        Event::Decision(decision) if decision.verdict == Verdict::Deny => "denied",
        Event::Outcome(outcome) if outcome.status >= 400 => "failed",
        Event::Outcome(_) => "well",
        _ => "open",
    }
}

/// What the rules that decided say. Only the folder that decided may be quoted.
fn rules(rules: Option<&Rules>, parts: &[Part]) -> Markup {
    let decision = parts.iter().find_map(|part| match &part.record.event {
        Event::Decision(decision) => Some(decision),
        _ => None,
    });
    let (Some(rules), Some(decision)) = (rules, decision) else { return html! {} };
    let ids: Vec<_> = decision.rules.iter().map(Text::as_str).collect();
    html! {
        section.panel aria-labelledby="rules" {
            h2 #rules { "What the rules say" }
            @if !rules.are_of(decision.policy_digest.as_str()) {
                p.faint { "The policy folder at hand is not the one that decided." }
            } @else if ids.is_empty() {
                p.faint { "No rule decided: what no rule permits is denied." }
            } @else {
                @for id in ids {
                    h3 { code { (text(id)) } }
                    @match rules.rule(id) {
                        Some(rule) => { (rule_words(rule)) }
                        None => { p.faint { "Not in this folder." } }
                    }
                }
            }
        }
    }
}

fn rule_words(rule: &ShownRule) -> Markup {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let said: Vec<_> = [
        ("note", optional(&rule.note)),
        ("who", rule.who.clone()),
        ("may", rule.action.clone()),
        ("models", rule.models.clone()),
        ("conditions", rule.conditions.join("; ")),
        ("release", optional(&rule.release)),
        ("limits", optional(&rule.limits)),
        ("code", optional(&rule.code)),
        ("written in", format!("{} line {}", rule.file, rule.line)),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect();
    facts(&said)
}

/// From here on a value gets a line of its own: a SHA-256 in hex is as long.
const LONG_BYTES: usize = 64;
