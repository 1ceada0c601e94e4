//! Everything that is not a request.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};
use sealgate_audit::Event;
use serde::{Deserialize, Serialize};

use super::frame::{self, Tab};
use super::requests::story_link;
use super::site::Site;
use super::story::facts;
use super::words::{text, time};
use crate::error::ReviewError;
use crate::index::Index;
use crate::query::Happening;
use crate::story::{Words, words};

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    behind: Option<u64>,
}

impl Asked {
    fn link(&self) -> String {
        format!("/events?{}", serde_urlencoded::to_string(self).unwrap_or_default())
    }
}

/// `GET /events`
pub(super) async fn page(State(site): State<Arc<Site>>, Query(asked): Query<Asked>) -> Response {
    site.page(move |site, index| {
        let content = content(index, &asked)?;
        Ok(frame::page(site, Tab::Events, "Events", &content))
    })
    .await
}

fn content(index: &Index, asked: &Asked) -> Result<Markup, ReviewError> {
    let kind = Some(asked.kind.as_str()).filter(|kind| !kind.is_empty());
    let events = index.events(kind, asked.behind, PAGE_EVENTS)?;
    let next = events.last().filter(|_| events.len() == PAGE_EVENTS as usize);
    Ok(html! {
        nav.choice aria-label="Kinds of events" { ul {
            @for (value, name) in KINDS {
                @let link = Asked { kind: value.to_owned(), behind: None }.link();
                li { a href=(link) aria-current=[(value == asked.kind).then_some("true")] { (name) } }
            }
        } }
        @if events.is_empty() { p.none { "No event is like this." } }
        ol.events { @for event in &events { (entry(event)) } }
        nav.pages aria-label="Pages of events" {
            @if let Some(last) = next {
                a rel="next" href=(Asked { behind: Some(last.n), ..asked.clone() }.link()) { "Older" }
            }
        }
    })
}

fn entry(happening: &Happening) -> Markup {
    let Words { title, facts: said } = words(&happening.record.event);
    html! {
        li {
            details {
                summary {
                    (time(happening.record.time_us)) " "
                    span class={ "kind " (class(&happening.record.event)) } { (text(&happening.kind.replace('_', " "))) } " "
                    (text(&title))
                }
                (facts(&said))
                p.place {
                    span.faint { "record " } (happening.n)
                    @if let Some(id) = request(&happening.record.event) {
                        " · " a href=(story_link(id)) { "its request" }
                    }
                }
            }
        }
    }
}

fn request(event: &Event) -> Option<&str> {
    match event {
        Event::AdminOrder(order) => Some(order.request_id.as_str()),
        Event::CandidateDiffered(differed) => Some(differed.request_id.as_str()),
        Event::Retried(retried) => Some(retried.request_id.as_str()),
        _ => None,
    }
}

fn class(event: &Event) -> &'static str {
    match event {
        Event::CertificateRefused(_)
        | Event::PolicyRefused(_)
        | Event::Recovered(_)
        | Event::Adopted(_)
        | Event::VersionRefused(_)
        | Event::WorkerRefused(_) => "denied",
        Event::AdminOrder(_) | Event::BudgetWarned(_) | Event::WorkerEnded(_) => "failed",
        _ => "open",
    }
}

const PAGE_EVENTS: u32 = 50;
const KINDS: [(&str, &str); 20] = [
    ("", "All"),
    ("started", "Starts"),
    ("stopped", "Stops"),
    ("policy_loaded", "Policies loaded"),
    ("policy_refused", "Policies refused"),
    ("certificate_loaded", "Certificates loaded"),
    ("certificate_refused", "Certificates refused"),
    ("admin_order", "Orders"),
    ("version_served", "Versions served"),
    ("version_withdrawn", "Versions withdrawn"),
    ("version_refused", "Versions refused"),
    ("worker_started", "Workers started"),
    ("worker_refused", "Workers refused"),
    ("worker_ended", "Workers ended"),
    ("keys_offered", "Keys"),
    ("retried", "Retries"),
    ("prices_set", "Prices"),
    ("budget_warned", "Budgets"),
    ("recovered", "Recoveries"),
    ("adopted", "Unsigned records"),
];
