//! How much a listener bears at once. Each listener has its own: whoever floods the public one
//! takes nothing from an admin, and the other way round.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::config::RequestLimits;
use crate::limits::Places;

/// What the requests of one listener share.
pub struct Capacity {
    /// Places for requests in flight.
    pub in_flight: Arc<Places>,
    /// Room for bodies, in KiB, over all requests.
    pub body_room_kib: Arc<Semaphore>,
    /// Bytes of a body.
    pub body_bytes_max: usize,
    /// Time for a body.
    pub body_timeout: Duration,
}

impl Capacity {
    /// As configured, for everybody.
    #[must_use]
    pub fn new(limits: &RequestLimits) -> Self {
        Self {
            in_flight: Places::new(
                limits.in_flight_max,
                limits.waiting_max,
                Duration::from_millis(limits.waiting_ms),
            ),
            body_room_kib: Arc::new(Semaphore::new(limits.body_bytes_in_flight_max / 1024)),
            body_bytes_max: limits.body_bytes_max,
            body_timeout: Duration::from_millis(limits.body_timeout_ms),
        }
    }

    /// For admins: few places, each with room for an order.
    #[must_use]
    pub fn for_admins(limits: &RequestLimits) -> Self {
        Self::new(&RequestLimits {
            in_flight_max: ADMIN_IN_FLIGHT_MAX,
            waiting_max: ADMIN_IN_FLIGHT_MAX,
            body_bytes_max: ADMIN_BODY_BYTES_MAX,
            body_bytes_in_flight_max: ADMIN_IN_FLIGHT_MAX * ADMIN_BODY_BYTES_MAX,
            ..limits.clone()
        })
    }
}

/// More than people and a scraper of metrics use.
const ADMIN_IN_FLIGHT_MAX: usize = 16;
/// More than the longest order, with every character escaped.
const ADMIN_BODY_BYTES_MAX: usize = 8 << 10;
