//! `[requests]` and `[limits]`: how much is borne, and where it is counted.

use std::path::PathBuf;

use serde::Deserialize;

/// `[requests]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Bytes of a request body. Default: 4,194,304.
    pub body_bytes_max: usize,
    /// Bytes of bodies held at once over all requests; more are refused. Default: 268,435,456.
    pub body_bytes_in_flight_max: usize,
    /// Time from head to end of body, in milliseconds. Default: 10,000.
    pub body_timeout_ms: u64,
    /// Requests in flight at once, over all connections. Default: 512.
    pub in_flight_max: usize,
    /// Requests that may wait for one of these places, before anything else is done for them. Default: 1,024, as many
    /// as there are connections.
    pub waiting_max: usize,
    /// How long each of them waits at most, in milliseconds. Default: 500.
    pub waiting_ms: u64,
    /// Time for a worker's answer, in milliseconds; also the life of a grant. At most 30,000.
    /// Default: 10,000.
    pub answer_timeout_ms: u32,
    /// Verified tokens that are remembered, by their full hash. Default: 10,000.
    pub token_cache_entries: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 << 20,
            body_bytes_in_flight_max: 256 << 20,
            body_timeout_ms: 10_000,
            in_flight_max: 512,
            waiting_max: 1_024,
            waiting_ms: 500,
            answer_timeout_ms: 10_000,
            token_cache_entries: 10_000,
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// The file in which rows per day and month are counted; made when missing. Default: beside the
    /// audit log's folder, with `-limits` added to its name.
    pub store: Option<PathBuf>,
}
