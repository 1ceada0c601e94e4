//! What is sealed: one padded binary HTTP request.

use std::time::SystemTime;

use sealgate_keys::ohttp::{ResponseOpener, seal};
use sealgate_keys::{Cleartext, InnerRequest, KeyError};

use super::{Demands, VerifiedKeys};

/// A question, which may be sealed more than once, each time anew. Authorization and `Sealgate-*`
/// stay outside: the worker decides by the gateway's grant alone.
pub(crate) struct Question {
    inner: InnerRequest,
}

impl Question {
    /// A body of the Open Inference Protocol V2 for this path, for the model that `demands` pin.
    pub(crate) fn v2(path: &str, body: Vec<u8>, demands: &Demands) -> Self {
        let mut headers = vec![
            ("content-type".to_owned(), b"application/json".to_vec()),
            ("accept".to_owned(), b"application/json".to_vec()),
        ];
        if let Some(digest) = demands.model_digest() {
            headers.push(("if-match".to_owned(), format!("\"{}\"", hex::encode(digest)).into()));
        }
        let (method, path) = ("POST".to_owned(), path.to_owned());
        Self { inner: InnerRequest { method, path, headers, body: Cleartext::new(body) } }
    }

    /// The body.
    pub(crate) fn body(&self) -> &[u8] {
        self.inner.body.expose()
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
