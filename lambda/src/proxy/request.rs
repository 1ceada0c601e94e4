use std::collections::BTreeMap;

use sealgate_keys::{InnerHeader, inner_header};
use serde::Deserialize;

use super::refusal::Refusal;
use super::{Version, unbase64};
use crate::event::malformed;

/// A request over HTTP, out of a proxy event.
pub(crate) struct HttpRequest {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// As it was written.
    pub(crate) query: String,
    /// Those that are read, lower case, each once.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The members of both versions that are read. The platform adds others as it likes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proxied {
    http_method: Option<String>,
    path: Option<String>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    raw_path: Option<String>,
    raw_query_string: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: Context,
}

#[derive(Deserialize)]
struct Context {
    stage: Option<String>,
    http: Option<Http>,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

impl HttpRequest {
    pub(crate) fn read(event: &[u8], version: Version) -> Result<Self, Refusal> {
        let mut event: Proxied = malformed(serde_json::from_slice(event))?;
        let (method, path, query) = match version {
            Version::First => event.first(),
            Version::Second => event.second(),
            Version::Unknown => None,
        }
        .ok_or(Refusal::EventMalformed)?;
        let headers = event.headers()?;
        let text = event.body.take().unwrap_or_default();
        let body = match event.is_base64_encoded {
            true => unbase64(&text).ok_or(Refusal::EventMalformed)?,
            false => text.into_bytes(),
        };
        Ok(Self { method, path, query, headers, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl Proxied {
    fn first(&mut self) -> Option<(String, String, String)> {
        let query = self.query_string_parameters.take().unwrap_or_default();
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some((self.http_method.take()?, self.path.take()?, query.join("&")))
    }

    fn second(&mut self) -> Option<(String, String, String)> {
        let path = self.raw_path.take()?;
        // Unlike version 1.0, this one has the name of the stage in its path.
        let stage = self.request_context.stage.take().map(|stage| format!("/{stage}"));
        let rest = stage.and_then(|stage| Some(path.strip_prefix(&stage)?.to_owned()));
        let path = rest.filter(|rest| rest.starts_with('/')).unwrap_or(path);
        let method = self.request_context.http.take()?.method;
        Some((method, path, self.raw_query_string.take().unwrap_or_default()))
    }

    /// Those that are read here or may go inside. Of a field that stands twice nobody can tell which
    /// one somebody else went by.
    fn headers(&mut self) -> Result<Vec<(String, String)>, Refusal> {
        let once = self.headers.take().unwrap_or_default().into_iter();
        let all: Vec<(String, Vec<String>)> = match self.multi_value_headers.take() {
            Some(several) => several.into_iter().collect(),
            None => once.map(|(name, value)| (name, vec![value])).collect(),
        };
        let mut read: Vec<(String, String)> = Vec::new();
        for (name, mut values) in all {
            let name = name.to_ascii_lowercase();
            if name != ROWS && inner_header(&name) != InnerHeader::Carried {
                continue;
            }
            let (value, more) = (values.pop(), !values.is_empty());
            if more || read.iter().any(|(other, _)| *other == name) {
                return Err(Refusal::HeaderRepeated);
            }
            read.extend(value.map(|value| (name, value)));
        }
        Ok(read)
    }
}

/// How many rows a sealed request holds at most, said in the clear.
pub(crate) const ROWS: &str = "sealgate-rows";
