//! The way to one gateway: TLS, one token, limits on every answer, no redirect.

use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::answer::ANSWER_BYTES_MAX;
use crate::{ClientError, tls};

/// How long a request may take from the first byte out to the last byte in.
pub const TIME_MAX: Duration = Duration::from_secs(30);
/// How long connecting may take.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// One gateway and one caller.
pub(crate) struct Gateway {
    connections: Connections<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    bearer: HeaderValue,
}

/// A response, whatever it says.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Gateway {
    pub(crate) fn new(url: &str, ca_pem: &[u8], token: &str) -> Result<Self, ClientError> {
        Ok(Self {
            connections: Connections::builder(TokioExecutor::new()).build(tls::connector(ca_pem)?),
            url: origin(url)?,
            bearer: bearer(token)?,
        })
    }

    /// One request and its response. It is not sent a second time: after a broken connection it
    /// may have been answered.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Reply, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.bearer.clone());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|_| ClientError::Url { url: self.url.clone() })?;
        match tokio::time::timeout(TIME_MAX, self.exchange(request)).await {
            Ok(reply) => reply,
            Err(_) => Err(ClientError::TimedOut { after: TIME_MAX }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, ClientError> {
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
        Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

impl Reply {
    /// A header field that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
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
pub(crate) fn segment(model: &str) -> Result<&str, ClientError> {
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
        for model in ["", ".", "..", "a/b", "a?b", "a%2fb", "a b", "a&b"] {
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
