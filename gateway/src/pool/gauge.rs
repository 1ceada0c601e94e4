//! How many requests there are at once, on average over time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Counts who is there. Pure: time is passed in.
pub struct Gauge(Mutex<Counted>);

#[derive(Clone, Copy)]
struct Counted {
    /// There now.
    count: usize,
    /// Requests times seconds since the average was last taken, up to `at`.
    request_seconds: f64,
    at: Instant,
    taken: Instant,
}

impl Gauge {
    /// Nobody is there.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self(Mutex::new(Counted { count: 0, request_seconds: 0.0, at: now, taken: now }))
    }

    /// One more from `now` on.
    pub fn enter(&self, now: Instant) {
        let mut counted = self.lock();
        counted.advance(now);
        counted.count += 1;
    }

    /// One less from `now` on.
    pub fn leave(&self, now: Instant) {
        let mut counted = self.lock();
        counted.advance(now);
        counted.count = counted.count.saturating_sub(1);
    }

    /// How many are there.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().count
    }

    /// How many there were on average since this was last asked.
    #[must_use]
    pub fn take_average(&self, now: Instant) -> f64 {
        let mut counted = self.lock();
        counted.advance(now);
        let seconds = now.saturating_duration_since(counted.taken).as_secs_f64();
        let sum = std::mem::take(&mut counted.request_seconds);
        counted.taken = now;
        if seconds > 0.0 { sum / seconds } else { 0.0 }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn advance(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "there are never so many")]
        let count = self.count as f64;
        self.request_seconds += count * seconds;
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_request_counts_for_as_long_as_it_is_there() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let gauge = Gauge::new(begin);
        gauge.enter(at(0));
        gauge.enter(at(500));
        gauge.leave(at(750));
        let average = gauge.take_average(at(1000));
        assert!((average - 1.25).abs() < 1e-9, "{average}");
        let average = gauge.take_average(at(2000));
        assert!((average - 1.0).abs() < 1e-9, "the one that stayed: {average}");
        gauge.leave(at(2000));
        assert!(gauge.take_average(at(3000)).abs() < 1e-9);
        assert_eq!(gauge.count(), 0);
    }
}
