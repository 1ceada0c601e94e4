//! One gateway, one caller; the gateway seals.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};

use crate::ClientError;
use crate::answer::Answer;
use crate::gateway::{Gateway, segment};

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

    /// Sends a body of the Open Inference Protocol V2 to the default version of `model`.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] for every status but 2xx; otherwise what broke on the way. The
    /// request is not sent a second time: after a broken connection it may have been answered.
    pub async fn infer_v2(
        &self,
        model: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        let path = format!("/v2/models/{}/infer", segment(model)?);
        let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let reply = self.gateway.ask(Method::POST, &path, &json, body.into()).await?;
        Answer::from_reply(reply).map_err(ClientError::Refused)
    }
}
