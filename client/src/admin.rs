//! The admin listener of one gateway.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};

use crate::ClientError;
use crate::answer::Answer;
use crate::gateway::Gateway;

/// Speaks to a gateway's admin listener with one token, whose caller the gateway's own rules must
/// permit what is asked.
pub struct AdminClient {
    gateway: Gateway,
}

impl AdminClient {
    /// A client for the admin listener at `url` (`https://host[:port]`), trusted because one of
    /// the certificates in `ca_pem` signed its own, with the bearer token `token`.
    ///
    /// # Errors
    ///
    /// When `url` is anything else, when `ca_pem` holds no usable certificate, or when `token`
    /// cannot stand in a header.
    pub fn new(url: &str, ca_pem: &[u8], token: &str) -> Result<Self, ClientError> {
        Ok(Self { gateway: Gateway::new(url, ca_pem, token)? })
    }

    /// Which policy is in force, which orders are, and which workers run, as JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`], or what broke on the way.
    pub async fn standing(&self) -> Result<Answer, ClientError> {
        self.ask(Method::GET, "/v1/admin/standing", Bytes::new()).await
    }

    /// The workers of each model, their load, and what the scaler decided of late, as JSON.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`], or what broke on the way.
    pub async fn pools(&self) -> Result<Answer, ClientError> {
        self.ask(Method::GET, "/v1/admin/pools", Bytes::new()).await
    }

    /// Has the gateway read its policy folder again.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with status 422 when the last good policy stays in force.
    pub async fn reload(&self) -> Result<Answer, ClientError> {
        self.ask(Method::POST, "/v1/admin/reload", Bytes::new()).await
    }

    /// Gives an order, such as `{"order": "lock_down"}`; it holds when this returns.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`], or what broke on the way; the order may hold then.
    pub async fn order(&self, order: impl Into<Bytes>) -> Result<Answer, ClientError> {
        self.ask(Method::POST, "/v1/admin/emergency", order.into()).await
    }

    /// Whether the holder of the token may see the review page, on the gateway's record.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] when he may not, or what broke on the way.
    pub async fn review(&self) -> Result<Answer, ClientError> {
        self.ask(Method::POST, "/v1/admin/review", Bytes::new()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, ClientError> {
        let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let reply = self.gateway.ask(method, path, &json, body).await?;
        Answer::from_reply(reply).map_err(ClientError::Refused)
    }
}
