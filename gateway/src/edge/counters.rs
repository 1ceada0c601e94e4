//! What the edge has seen, as plain numbers: no address, no name, nothing a client chose.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of the process. Each is read by itself; they are no snapshot.
#[derive(Debug, Default)]
pub struct EdgeCounters {
    /// Connections taken from the listener.
    pub accepted: AtomicU64,
    /// Times the listener could not accept (out of file descriptors or memory).
    pub accept_failed: AtomicU64,
    /// Closed at once: too many connections in all.
    pub refused_total: AtomicU64,
    /// Closed at once: too many connections from one address.
    pub refused_address: AtomicU64,
    /// Closed: a trusted proxy sent no valid PROXY v2 header.
    pub refused_proxy_header: AtomicU64,
    /// TLS handshakes that failed.
    pub handshake_failed: AtomicU64,
    /// TLS handshakes (or PROXY headers) not finished in time.
    pub handshake_timed_out: AtomicU64,
    /// Connections without a first byte in time.
    pub first_byte_timed_out: AtomicU64,
    /// Connections whose request head did not end in time.
    pub header_timed_out: AtomicU64,
    /// Connections closed after the idle time-out.
    pub idle_timed_out: AtomicU64,
    /// Requests refused because they could be read in two ways, or broke a bound of their head.
    pub requests_refused: AtomicU64,
    /// Requests given to the service.
    pub requests: AtomicU64,
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
