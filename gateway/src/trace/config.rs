//! `[trace]`.

use std::path::PathBuf;

use axum::http::Uri;
use serde::Deserialize;

/// `[trace]`: where spans go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// A collector of OTLP over HTTP, its path included, such as
    /// `https://collector.example:4318/v1/traces`. `http` only on loopback.
    pub endpoint: String,
    /// The authorities (PEM) that the collector's certificate must come from, instead of those that
    /// the operating system trusts. Default: none.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The part of the requests that is told, from 0 to 1. Default: 0.1.
    #[serde(default = "tenth")]
    pub sample_ratio: f64,
}

impl TraceConfig {
    /// Where to, if that may be.
    pub(super) fn address(&self) -> Option<Uri> {
        let address: Uri = self.endpoint.parse().ok()?;
        let host = address.host()?.trim_start_matches('[').trim_end_matches(']');
        let is_here = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        match address.scheme_str() {
            Some("https") => Some(address),
            Some("http") if is_here => Some(address),
            _ => None,
        }
    }

    /// Whether everything is within its bounds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.address().is_some() && (0.0..=1.0).contains(&self.sample_ratio)
    }
}

const fn tenth() -> f64 {
    0.1
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn spans_go_over_tls_or_stay_on_this_machine() {
        for (endpoint, is_sound) in [
            ("https://collector.example:4318/v1/traces", true),
            ("http://127.0.0.1:4318/v1/traces", true),
            ("http://[::1]:4318/v1/traces", true),
            ("http://localhost/v1/traces", true),
            ("http://collector.example:4318/v1/traces", false),
            ("http://127.0.0.1.example/", false),
            ("http://10.0.0.1/", false),
            ("ftp://localhost/", false),
            ("collector.example", false),
            ("", false),
        ] {
            let config: TraceConfig = toml::from_str(&format!("endpoint = '{endpoint}'")).unwrap();
            assert_eq!(config.is_sound(), is_sound, "{endpoint}");
        }
        for ratio in ["-0.1", "1.1", "nan"] {
            let text = format!("endpoint = 'https://a/'\nsample_ratio = {ratio}");
            assert!(!toml::from_str::<TraceConfig>(&text).unwrap().is_sound(), "{ratio}");
        }
    }
}
