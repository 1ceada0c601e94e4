//! One gateway, one caller; the gateway seals.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use sealgate_keys::JSON_BYTES_HEADER;

use crate::answer::Answer;
use crate::gateway::{Gateway, segment};
use crate::{Body, ClientError};

/// Speaks to one gateway with one token. What it sends, the gateway holds in memory for a moment;
/// [`SealedClient`](crate::SealedClient) sends what the gateway cannot read.
///
/// ```compile_fail
/// fn print(client: sealgate_client::Client) {
///     println!("{client:?}");
/// }
/// ```
pub struct Client {
    gateway: Gateway,
}

impl Client {
    /// A client for the gateway at `url` (`https://host[:port]`), trusted because one of the
    /// certificates in `ca_pem` signed its own, with the bearer token `token`.
    ///
    /// # Errors
    ///
    /// When `url` is anything else, when `ca_pem` holds no usable certificate, or when `token`
    /// cannot stand in a header.
    pub fn new(url: &str, ca_pem: &[u8], token: &str) -> Result<Self, ClientError> {
        Ok(Self { gateway: Gateway::new(url, ca_pem, token)? })
    }

    /// Sends a body of the Open Inference Protocol V2, in JSON or binary, to the default version of `model`.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for every status but 2xx; otherwise what broke on the way. The
    /// request is not sent a second time: after a broken connection it may have been answered.
    pub async fn infer_v2(
        &self,
        model: &str,
        body: impl Into<Body>,
    ) -> Result<Answer, ClientError> {
        let path = format!("/v2/models/{}/infer", segment(model)?);
        let body = body.into();
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(body.content_type()))];
        let json_bytes = body.json_bytes();
        headers.extend(json_bytes.map(|bytes| (JSON_BYTES, HeaderValue::from(bytes))));
        let reply = self.gateway.ask(Method::POST, &path, &headers, body.into_bytes()).await?;
        Answer::from_reply(reply).map_err(ClientError::Refused)
    }
}

const JSON_BYTES: HeaderName = HeaderName::from_static(JSON_BYTES_HEADER);
