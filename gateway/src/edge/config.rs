//! The edge's settings: each with its unit and its default, unknown ones refused.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::EdgeError;
use super::head;

/// Where the gateway listens, as whom, and how much it bears.
///
/// ```
/// # use sealgate_gateway::edge::EdgeConfig;
/// let config: EdgeConfig = toml::from_str(
///     r#"
///     listen = "127.0.0.1:8443"
///     cert = "tls/cert.pem"
///     key = "tls/key.pem"
///     trusted_proxies = ["10.0.0.0/8"]
///
///     [limits]
///     connections_max = 512
///     "#,
/// )
/// .unwrap();
/// assert_eq!(config.limits.connections_max, 512);
/// assert!(toml::from_str::<EdgeConfig>("listen = '[::]:1'\ncert = ''\nkey = ''\ncerts = ''").is_err());
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeConfig {
    /// Address and port to listen on; port 0 takes a free one. Required.
    pub listen: SocketAddr,
    /// PEM file with the certificate chain, leaf first. Required.
    pub cert: PathBuf,
    /// PEM file with the certificate's private key, open to its owner only (mode 600). Required.
    pub key: PathBuf,
    /// Networks whose `X-Forwarded-For` (and PROXY v2 header) is believed. Default: none.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether every connection from a trusted proxy begins with a PROXY v2 header. One without is closed.
    /// From anybody else the header is never read. Default: `false`.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// Time-outs and bounds. Default: those of [`EdgeLimits`].
    #[serde(default)]
    pub limits: EdgeLimits,
}

/// Time-outs and bounds of the edge.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EdgeLimits {
    /// From accept to the end of the TLS handshake, PROXY header included, in milliseconds. Default: 5,000.
    pub handshake_timeout_ms: u64,
    /// From the handshake to the first byte of the first request, in milliseconds. Default: 5,000.
    pub first_byte_timeout_ms: u64,
    /// From the first byte of a request head to its last, in milliseconds. Default: 5,000.
    pub header_timeout_ms: u64,
    /// Longest silence between requests, and of a client that does not take its answer, in milliseconds. Default: 60,000.
    pub idle_timeout_ms: u64,
    /// Longest request head of HTTP/1, in bytes (1,024 to 65,536). Default: 16,384.
    pub header_bytes_max: usize,
    /// Most fields in a request head of HTTP/1 (1 to 100). Default: 64.
    pub header_count_max: usize,
    /// Connections open at once. Default: 1,024.
    pub connections_max: usize,
    /// Connections open at once from one IPv4 address or one IPv6 /64 network; trusted proxies are exempt. Default: 256.
    pub connections_per_address_max: usize,
    /// Requests in flight at once on one HTTP/2 connection. Default: 128.
    pub h2_streams_max: u32,
    /// Largest header list of HTTP/2, in bytes as RFC 9113 counts them. Default: 16,384.
    pub h2_header_list_bytes_max: u32,
    /// Streams which a client opened and reset before they were accepted, per connection (rapid reset). Default: 20.
    pub h2_pending_reset_streams_max: usize,
    /// Streams reset because of the client's own mistakes, per connection. Default: 256.
    pub h2_error_reset_streams_max: usize,
    /// How long a closing connection still takes what the client is sending, so that the answer is not lost, in
    /// milliseconds. Default: 2,000.
    pub linger_ms: u64,
    /// How much a closing connection still takes, in bytes. Default: 16,777,216.
    pub linger_bytes_max: u64,
    /// How long requests in flight may take after a stop was asked for, in milliseconds. Default: 10,000.
    pub drain_timeout_ms: u64,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            handshake_timeout_ms: 5_000,
            first_byte_timeout_ms: 5_000,
            header_timeout_ms: 5_000,
            idle_timeout_ms: 60_000,
            header_bytes_max: 16_384,
            header_count_max: 64,
            connections_max: 1_024,
            connections_per_address_max: 256,
            h2_streams_max: 128,
            h2_header_list_bytes_max: 16_384,
            h2_pending_reset_streams_max: 20,
            h2_error_reset_streams_max: 256,
            linger_ms: 2_000,
            linger_bytes_max: 16 * 1024 * 1024,
            drain_timeout_ms: 10_000,
        }
    }
}

impl EdgeConfig {
    /// Refuses settings that would leave a limit without effect.
    ///
    /// # Errors
    /// [`EdgeError::Setting`] names the first bad one.
    pub fn check(&self) -> Result<(), EdgeError> {
        let limits = &self.limits;
        let timeouts = [
            ("handshake_timeout_ms", limits.handshake_timeout_ms),
            ("first_byte_timeout_ms", limits.first_byte_timeout_ms),
            ("header_timeout_ms", limits.header_timeout_ms),
            ("idle_timeout_ms", limits.idle_timeout_ms),
            ("linger_ms", limits.linger_ms),
            ("drain_timeout_ms", limits.drain_timeout_ms),
        ];
        for (field, value) in timeouts {
            if !TIMEOUT_MS.contains(&value) {
                return Err(EdgeError::Setting { field, rule: "between 1 and 3600000" });
            }
        }
        let rules = [
            (
                "header_bytes_max",
                HEADER_BYTES.contains(&limits.header_bytes_max),
                "between 1024 and 65536",
            ),
            (
                "header_count_max",
                (1..=head::FIELDS_MAX).contains(&limits.header_count_max),
                "between 1 and 100",
            ),
            ("connections_max", limits.connections_max > 0, "at least 1"),
            ("connections_per_address_max", limits.connections_per_address_max > 0, "at least 1"),
            ("h2_streams_max", limits.h2_streams_max > 0, "at least 1"),
            ("h2_header_list_bytes_max", limits.h2_header_list_bytes_max >= 1024, "at least 1024"),
            (
                "proxy_protocol",
                !self.proxy_protocol || !self.trusted_proxies.is_empty(),
                "false without trusted_proxies",
            ),
        ];
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, rule)) => Err(EdgeError::Setting { field, rule }),
            None => Ok(()),
        }
    }
}

impl EdgeLimits {
    pub(super) fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_timeout_ms)
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    pub(super) fn linger_time(&self) -> Duration {
        Duration::from_millis(self.linger_ms)
    }

    pub(super) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

const TIMEOUT_MS: RangeInclusive<u64> = 1..=3_600_000;
const HEADER_BYTES: RangeInclusive<usize> = 1_024..=65_536;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn config(text: &str) -> EdgeConfig {
        toml::from_str(&format!("listen = '[::1]:0'\ncert = 'c'\nkey = 'k'\n{text}")).unwrap()
    }

    #[test]
    fn the_defaults_are_accepted() {
        assert!(config("").check().is_ok());
    }

    #[test]
    fn a_time_out_of_zero_is_refused() {
        assert!(config("[limits]\nidle_timeout_ms = 0").check().is_err());
    }

    #[test]
    fn more_fields_than_the_parser_holds_are_refused() {
        assert!(config("[limits]\nheader_count_max = 101").check().is_err());
    }

    #[test]
    fn the_proxy_protocol_without_proxies_is_refused() {
        assert!(config("proxy_protocol = true").check().is_err());
    }
}
