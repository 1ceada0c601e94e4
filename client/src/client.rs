//! One gateway, one caller.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::answer::{ANSWER_BYTES_MAX, Answer};
use crate::{ClientError, tls};

/// How long a request may take from the first byte out to the last byte in.
pub const TIME_MAX: Duration = Duration::from_secs(30);
/// How long connecting may take.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Speaks to one gateway with one token.
///
/// ```compile_fail
/// fn print(client: sealgate_client::Client) {
///     println!("{client:?}");
/// }
/// ```
pub struct Client {
    connections: Connections<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    bearer: HeaderValue,
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
        Ok(Self {
            connections: Connections::builder(TokioExecutor::new()).build(tls::connector(ca_pem)?),
            url: origin(url)?,
            bearer: bearer(token)?,
        })
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
        self.send(Method::POST, &path, body.into()).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.bearer.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| ClientError::Url { url: self.url.clone() })?;
        match tokio::time::timeout(TIME_MAX, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::TimedOut { after: TIME_MAX }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let response = self.connections.request(request).await.map_err(|source| {
            match source.is_connect() {
                true => ClientError::Connect { url: self.url.clone(), source },
                false => ClientError::Broken(source.into()),
            }
        })?;
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| {
                match error.is::<LengthLimitError>() {
                    true => ClientError::TooLarge { max: ANSWER_BYTES_MAX },
                    false => ClientError::Broken(error),
                }
            })?;
        Answer::from_parts(head.status, &head.headers, body.to_bytes())
            .map_err(ClientError::Refused)
    }
}

/// `https://host[:port]`, without a slash at the end. Plain http would show the token to everyone.
fn origin(url: &str) -> Result<String, ClientError> {
    let refused = || ClientError::Url { url: url.to_owned() };
    let uri: Uri = url.parse().map_err(|_| refused())?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
    match (uri.scheme_str(), authority, uri.path(), uri.query()) {
        (Some("https"), Some(authority), "" | "/", None) => Ok(format!("https://{authority}")),
        _ => Err(refused()),
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let of_a_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    if token.is_empty() || !token.chars().all(of_a_token) {
        return Err(ClientError::Token);
    }
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A model's name is one path segment; a slash or a dot-dot would name something else.
fn segment(model: &str) -> Result<&str, ClientError> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let dots_only = model.chars().all(|c| c == '.');
    if dots_only || !model.chars().all(of_a_name) {
        return Err(ClientError::Model { model: model.to_owned() });
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::{bearer, origin, segment};

    #[test]
    fn a_gateway_is_named_by_scheme_and_authority() {
        for url in ["https://localhost:8443", "https://localhost:8443/"] {
            assert_eq!(origin(url).ok().as_deref(), Some("https://localhost:8443"));
        }
    }

    #[test]
    fn a_url_that_could_leak_the_token_is_refused() {
        for url in ["http://h", "h:1", "https://a@h", "https://h/p", "https://h?q", "", "https://"]
        {
            assert!(origin(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_model_name_cannot_change_the_path() {
        assert!(segment("breast-cancer_2.1").is_ok());
        for model in ["", ".", "..", "a/b", "a?b", "a%2fb", "a b"] {
            assert!(segment(model).is_err(), "{model}");
        }
    }

    #[test]
    fn a_token_cannot_begin_another_header() {
        assert!(bearer("e30.e30.AA").is_ok());
        for token in ["", "a\r\nx: y", "a b", "a\n"] {
            assert!(bearer(token).is_err(), "{token:?}");
        }
    }

    #[test]
    fn the_token_is_marked_as_secret() {
        assert!(bearer("e30").is_ok_and(|value| value.is_sensitive()));
    }
}
