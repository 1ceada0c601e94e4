//! One GET of one JWK set: https, a verified certificate, no redirect, so many bytes, so much time.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use sealgate_policies::JWKS_BYTES_MAX;
use tokio::time::timeout;

use super::JwksError;
use crate::authorities::Authorities;

/// Whose certificates are believed.
pub(super) struct Fetcher {
    authorities: Authorities,
    time_max: Duration,
}

/// What the issuer sent.
pub(super) struct Fetched {
    pub(super) text: String,
    /// For how long it may be kept, as the issuer says (RFC 9111, section 5.2.2.1).
    pub(super) max_age: Option<Duration>,
}

impl Fetcher {
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, JwksError> {
        Ok(Self { authorities: Authorities::new(ca_file)?, time_max: TIME_MAX })
    }

    #[cfg(test)]
    pub(super) fn with_time_max(self, time_max: Duration) -> Self {
        Self { time_max, ..self }
    }

    /// From the look-up of the name to the last byte. Each fetch has a connection of its own, so
    /// that each sees the issuer's present address and certificate.
    pub(super) async fn fetch(&self, url: &str) -> Result<Fetched, JwksError> {
        let url: Uri = url.parse().map_err(|_| JwksError::Address)?;
        match timeout(self.time_max, self.exchange(url)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(JwksError::TimedOut),
        }
    }

    async fn exchange(&self, url: Uri) -> Result<Fetched, JwksError> {
        let request = Request::get(url)
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .body(Empty::<Bytes>::new())
            .map_err(|_| JwksError::Address)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.authorities.tls().await?)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .build(connector);
        let response = client
            .request(request)
            .await
            .map_err(|error| JwksError::Unreachable(root_cause(&error)))?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => return Err(JwksError::Redirect),
            status => return Err(JwksError::Status(status.as_u16())),
        }
        let max_age = max_age(response.headers());
        let body = Limited::new(response.into_body(), JWKS_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => JwksError::TooLarge,
            false => JwksError::Broken,
        })?;
        let text = String::from_utf8(body.to_bytes().into()).map_err(|_| JwksError::NotText)?;
        Ok(Fetched { text, max_age })
    }
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let fields = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives = fields.filter_map(|field| field.to_str().ok()).flat_map(|f| f.split(','));
    directives.find_map(|directive| {
        let (name, value) = directive.trim().split_once('=')?;
        let seconds = value.trim_matches('"').parse().ok()?;
        name.eq_ignore_ascii_case("max-age").then(|| Duration::from_secs(seconds))
    })
}

/// The last error of the chain says what happened; those before it only where.
fn root_cause(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

const TIME_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn max_age_is_found_among_other_directives() {
        for (field, seconds) in [
            ("public, max-age=21600, must-revalidate", Some(21_600)),
            ("MAX-AGE=\"60\"", Some(60)),
            ("no-store", None),
            ("max-age=-1", None),
            ("s-maxage=10", None),
        ] {
            let headers = [(header::CACHE_CONTROL, HeaderValue::from_static(field))].into_iter();
            let found = max_age(&headers.collect()).map(|age| age.as_secs());
            assert_eq!(found, seconds, "{field}");
        }
    }
}
