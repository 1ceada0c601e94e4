//! Which policies were in force, and from when to when.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::form::Form;
use super::frame::{self, Tab};
use super::site::Site;
use super::words::{text, time};
use crate::error::ReviewError;
use crate::index::Index;
use crate::moment::instant;

/// `GET /policies`
pub(super) async fn page(State(site): State<Arc<Site>>) -> Response {
    site.page(|site, index| {
        let content = content(site, index)?;
        Ok(frame::page(site, Tab::Policies, "Policies", &content))
    })
    .await
}

fn content(site: &Site, index: &Index) -> Result<Markup, ReviewError> {
    let versions = index.policy_versions(VERSIONS_MAX)?;
    // The newest comes first, so the end of each is the beginning of the one before it.
    let ends = std::iter::once(None).chain(versions.iter().map(|later| Some(later.time_us)));
    let at_hand = |digest: &str| site.rules.as_ref().is_some_and(|rules| rules.are_of(digest));
    Ok(html! {
        @if versions.is_empty() { p.none { "No gateway has served yet." } } @else {
            div.panel.scroll tabindex="0" role="region" aria-label="Policies in force" { table {
                thead { tr {
                    th scope="col" { "In force from" } th scope="col" { "to" }
                    th scope="col" { "SHA-256 of the folder" } th scope="col" { "Why" }
                    th scope="col" { "Requests" }
                } }
                tbody { @for (version, end) in versions.iter().zip(ends) {
                    @let form = Form {
                        since: instant(version.time_us),
                        until: end.map(instant).unwrap_or_default(),
                        ..Form::default()
                    };
                    tr {
                        td { (time(version.time_us)) }
                        td { @match end { Some(end) => { (time(end)) }, None => { strong { "in force" } } } }
                        th.digest scope="row" {
                            code { (text(&version.digest)) }
                            @if at_hand(&version.digest) { " " span.key.allowed { "the folder at hand" } }
                        }
                        td { (text(&version.why)) }
                        td { a href=(form.link("/requests")) { "of that time" } }
                    }
                } }
            } }
        }
        p { a href="/events?kind=policy_refused" { "Folders that were refused" } }
    })
}

const VERSIONS_MAX: u32 = 500;
