//! What a connection is doing, and since when it has been silent.
//!
//! One of these per connection, shared by the guard (which sees bytes), the service (which sees requests) and the
//! driver (which ends the connection). A connection that waits must end by itself; one that computes must not.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::ready;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::EdgeLimits;
use super::refusal::Refusal;

/// The state of one connection. Requests are numbered from 1 in the order of their heads.
pub(super) struct Activity {
    start: Instant,
    first_byte_timeout: Duration,
    header_timeout: Duration,
    idle_timeout: Duration,
    begun: AtomicU64,
    in_flight: AtomicU32,
    /// Microseconds after `start` of the end of the last request, or of the last byte a slow reader took.
    quiet_since: AtomicU64,
    /// Microseconds after `start` plus one of the first byte of an unfinished head; 0 for none.
    head_since: AtomicU64,
    /// The number of the request whose body has not wholly arrived; 0 for none.
    open_body: AtomicU64,
    refused: OnceLock<(u64, Refusal)>,
}

/// Which silence lasted too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing came after the handshake.
    FirstByte,
    /// A head was begun and not ended.
    Head,
    /// No further request came, or the answer was not taken.
    Idle,
}

impl Activity {
    pub(super) fn begin_connection(limits: &EdgeLimits) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            first_byte_timeout: Duration::from_millis(limits.first_byte_timeout_ms),
            header_timeout: Duration::from_millis(limits.header_timeout_ms),
            idle_timeout: limits.idle_timeout(),
            begun: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            quiet_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            open_body: AtomicU64::new(0),
            refused: OnceLock::new(),
        })
    }

    /// A request is given to the service.
    pub(super) fn begin_request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        InFlight { activity: Arc::clone(self), number }
    }

    /// A head was begun that these bytes did not end.
    pub(super) fn head_begun(&self) {
        self.head_since.store(self.elapsed_us() + 1, Ordering::Relaxed);
    }

    /// The unfinished head ended.
    pub(super) fn head_ended(&self) {
        self.head_since.store(0, Ordering::Relaxed);
    }

    /// A client that had let our bytes wait took some.
    pub(super) fn stalled_write_moved(&self) {
        self.quiet_since.store(self.elapsed_us(), Ordering::Relaxed);
    }

    /// The body of request `number` has not wholly arrived (0: that of every request has).
    pub(super) fn set_open_body(&self, number: u64) {
        self.open_body.store(number, Ordering::Relaxed);
    }

    /// Request `number` will not be given to the service. Only the first call counts: nothing follows it.
    pub(super) fn refuse(&self, number: u64, refusal: Refusal) {
        let _ = self.refused.set((number, refusal));
    }

    /// Waits for the end of the connection's patience. `sleep` is moved only when the end comes nearer, so that a
    /// request costs the timer nothing.
    pub(super) async fn silence(&self, mut sleep: Pin<&mut Sleep>) -> Silence {
        poll_fn(|cx| {
            loop {
                let patience = self.patience();
                if let Some((until, _)) = patience
                    && until < sleep.deadline()
                {
                    sleep.as_mut().reset(until);
                }
                ready!(sleep.as_mut().poll(cx));
                let now = Instant::now();
                match patience {
                    Some((until, silence)) if until <= now => {
                        return std::task::Poll::Ready(silence);
                    }
                    Some((until, _)) => sleep.as_mut().reset(until),
                    None => sleep.as_mut().reset(now + self.idle_timeout),
                }
            }
        })
        .await
    }

    /// Until when the connection may stay as it is; `None` while a request is in flight.
    fn patience(&self) -> Option<(Instant, Silence)> {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let quiet_since = self.at(self.quiet_since.load(Ordering::Relaxed));
        if let Some(head_since) = self.head_since.load(Ordering::Relaxed).checked_sub(1) {
            // A head that came while its forerunner was being answered has its full time from then on.
            return Some((
                self.at(head_since).max(quiet_since) + self.header_timeout,
                Silence::Head,
            ));
        }
        if self.begun.load(Ordering::Relaxed) == 0 {
            return Some((self.start + self.first_byte_timeout, Silence::FirstByte));
        }
        Some((quiet_since + self.idle_timeout, Silence::Idle))
    }

    fn at(&self, elapsed_us: u64) -> Instant {
        self.start + Duration::from_micros(elapsed_us)
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX / 2)
    }
}

/// A request in flight; dropped, it is over.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    number: u64,
}

impl InFlight {
    /// Why this request must not reach the service, if so.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let (number, refusal) = self.activity.refused.get()?;
        (*number == self.number).then_some(*refusal)
    }

    /// Whether part of this request's body has not arrived yet.
    pub(super) fn is_body_open(&self) -> bool {
        self.activity.open_body.load(Ordering::Relaxed) == self.number
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.activity.quiet_since.store(self.activity.elapsed_us(), Ordering::Relaxed);
        self.activity.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity() -> Arc<Activity> {
        let limits = EdgeLimits {
            first_byte_timeout_ms: 1_000,
            header_timeout_ms: 2_000,
            idle_timeout_ms: 60_000,
            ..EdgeLimits::default()
        };
        Activity::begin_connection(&limits)
    }

    fn kind(activity: &Activity) -> Option<Silence> {
        activity.patience().map(|(_, silence)| silence)
    }

    #[test]
    fn a_new_connection_waits_for_its_first_byte() {
        assert_eq!(kind(&activity()), Some(Silence::FirstByte));
    }

    #[test]
    fn a_begun_head_has_its_own_time() {
        let activity = activity();
        activity.head_begun();
        assert_eq!(kind(&activity), Some(Silence::Head));
    }

    #[test]
    fn a_connection_with_a_request_in_flight_is_left_alone() {
        let activity = activity();
        let request = activity.begin_request();
        activity.head_begun();
        assert_eq!(kind(&activity), None);
        drop(request);
        assert_eq!(kind(&activity), Some(Silence::Head));
    }

    #[test]
    fn after_a_request_the_connection_is_idle() {
        let activity = activity();
        drop(activity.begin_request());
        assert_eq!(kind(&activity), Some(Silence::Idle));
    }

    #[test]
    fn only_the_refused_request_is_refused() {
        let activity = activity();
        activity.refuse(2, Refusal::method());
        assert_eq!(activity.begin_request().refusal(), None);
        assert_eq!(activity.begin_request().refusal(), Some(Refusal::method()));
    }
}
