//! The filter as it stands in a URL and in the form above the requests.

use sealgate_audit::{Mode, Verdict};
use serde::{Deserialize, Serialize};

use crate::error::ReviewError;
use crate::moment::{Moment, now_us};
use crate::query::Filter;

/// What was typed. Empty is not asked for.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Form {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) search: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) since: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) until: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) subject: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) issuer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) client: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) tenant: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) model: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) verdict: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) code: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) rule: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) mode: String,
    /// Only requests older than this record.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) behind: String,
}

impl Form {
    /// As the index asks.
    pub(super) fn filter(&self) -> Result<Filter, ReviewError> {
        let now_us = now_us();
        let moment = |text: &str| -> Result<Option<u64>, ReviewError> {
            let moment = given(text).map(|text| text.parse::<Moment>()).transpose()?;
            Ok(moment.map(|moment| moment.us(now_us)))
        };
        let text = |text: &str| given(text).map(str::to_owned);
        Ok(Filter {
            since_us: moment(&self.since)?,
            until_us: moment(&self.until)?,
            subject: text(&self.subject),
            issuer: text(&self.issuer),
            client_id: text(&self.client),
            tenant: text(&self.tenant),
            model: text(&self.model),
            action: text(&self.action),
            rule: text(&self.rule),
            verdict: match self.verdict.as_str() {
                "allow" => Some(Verdict::Allow),
                "deny" => Some(Verdict::Deny),
                _ => None,
            },
            code: text(&self.code),
            status: number(&self.status, "status")?,
            mode: match self.mode.as_str() {
                "gateway-sealed" => Some(Mode::GatewaySealed),
                "client-sealed" => Some(Mode::ClientSealed),
                _ => None,
            },
            request_id: None,
            search: text(&self.search),
        })
    }

    /// Where the page begins.
    pub(super) fn behind(&self) -> Result<Option<u64>, ReviewError> {
        number(&self.behind, "record")
    }

    /// The same filter from the first page on.
    pub(super) fn first_page(&self) -> Self {
        Self { behind: String::new(), ..self.clone() }
    }

    /// A link to `page` with this filter.
    pub(super) fn link(&self, page: &str) -> String {
        // A struct of strings has a form.
        let query = serde_urlencoded::to_string(self).unwrap_or_default();
        if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") }
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn number<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<Option<T>, ReviewError> {
    let wrong = || ReviewError::Number { what, given: text.to_owned() };
    given(text).map(|text| text.parse().map_err(|_| wrong())).transpose()
}
