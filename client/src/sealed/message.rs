//! What is sealed: one padded binary HTTP request.

use std::time::SystemTime;

use sealgate_keys::ohttp::{ResponseOpener, seal};
use sealgate_keys::{Cleartext, InnerRequest, JSON_BYTES_HEADER, KeyError};

use super::{Demands, VerifiedKeys};
use crate::Body;
use crate::body::split;

/// A question, which may be sealed more than once, each time anew. Authorization and `Sealgate-*`
/// stay outside: the worker decides by the gateway's grant alone.
pub(crate) struct Question {
    inner: InnerRequest,
    /// How much of the body is JSON, where a tensor follows.
    json_bytes: Option<usize>,
}

impl Question {
    /// A body of the Open Inference Protocol V2 for this path, for the model that `demands` pin.
    pub(crate) fn v2(path: &str, body: Body, demands: &Demands) -> Self {
        let mut headers = vec![
            ("content-type".to_owned(), body.content_type().into()),
            ("accept".to_owned(), body.content_type().into()),
        ];
        let json_bytes = body.json_bytes();
        let begins =
            json_bytes.map(|bytes| (JSON_BYTES_HEADER.to_owned(), bytes.to_string().into()));
        headers.extend(begins);
        if let Some(digest) = demands.model_digest() {
            headers.push(("if-match".to_owned(), format!("\"{}\"", hex::encode(digest)).into()));
        }
        let (method, path) = ("POST".to_owned(), path.to_owned());
        let body = Cleartext::new(body.into_bytes().into());
        Self { inner: InnerRequest { method, path, headers, body }, json_bytes }
    }

    /// The body's JSON, and what stands behind it.
    pub(crate) fn body(&self) -> (&[u8], Option<&[u8]>) {
        split(self.inner.body.expose(), self.json_bytes)
    }

    /// Sealed at `now`: the bytes to send, and what opens their one answer.
    pub(crate) fn seal(
        &mut self,
        keys: &VerifiedKeys,
        now: SystemTime,
    ) -> Result<(Vec<u8>, ResponseOpener), KeyError> {
        self.inner.headers.retain(|(name, _)| name != DATE);
        self.inner.headers.push((DATE.to_owned(), httpdate::fmt_http_date(now).into_bytes()));
        seal(keys.key(), keys.aead(), self.inner.encode()?.expose())
    }
}

/// By it the worker refuses a delivery that comes late (RFC 9458, section 6.5.2).
const DATE: &str = "date";
