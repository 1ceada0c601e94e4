use std::collections::BTreeMap;

use serde::Serialize;

use super::{Version, base64};

/// An answer, before it is known in which shape it leaves.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A proxy response.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proxied<'a> {
    status_code: u16,
    headers: BTreeMap<&'a str, &'a str>,
    body: &'a str,
    is_base64_encoded: bool,
    /// There are none; version 2.0 has the member.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<[&'a str; 0]>,
}

impl Answer {
    pub(crate) fn ok(content_type: &str, body: Vec<u8>) -> Self {
        Self { status: 200, content_type: content_type.to_owned(), headers: Vec::new(), body }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As a response over HTTP; what is no JSON goes as base64.
    pub(crate) fn proxied(&self, version: Version) -> Vec<u8> {
        let is_json = self.content_type.ends_with("json");
        let text = std::str::from_utf8(&self.body).ok().filter(|_| is_json);
        let encoded = text.is_none().then(|| base64(&self.body));
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let answer = Proxied {
            status_code: self.status,
            headers: headers.chain([("content-type", self.content_type.as_str())]).collect(),
            body: encoded.as_deref().or(text).unwrap_or_default(),
            is_base64_encoded: encoded.is_some(),
            cookies: (version == Version::Second).then_some([]),
        };
        serde_json::to_vec(&answer).unwrap_or_else(|_| br#"{"statusCode":500}"#.to_vec())
    }
}
