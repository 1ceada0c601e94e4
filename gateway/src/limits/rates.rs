//! Requests per minute, by the generic cell rate algorithm.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::direct::NotKeyed;
use governor::{Quota, RateLimiter};
use sealgate_policies::Rate;

use super::key::Key;
use super::shards::Shards;

/// A bucket per caller, model and pair of numbers: other numbers need another quota.
pub struct Rates<C: Clock = MonotonicClock> {
    buckets: Shards<(Key, Rate), Bucket<C>>,
    clock: C,
}

struct Bucket<C: Clock> {
    limiter: RateLimiter<NotKeyed, ArrivalTime, C, NoOpMiddleware<C::Instant>>,
    arrival: ArrivalTime,
    /// Nanoseconds that one request costs.
    cell: u64,
    made: C::Instant,
}

/// The theoretical arrival time, in nanoseconds since the bucket was made; 0 before the first.
#[derive(Clone, Default)]
struct ArrivalTime(Arc<AtomicU64>);

impl Default for Rates {
    fn default() -> Self {
        Self::new(MonotonicClock, BUCKETS_MAX)
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn new(clock: C, buckets_max: usize) -> Self {
        Self { buckets: Shards::new(buckets_max), clock }
    }

    /// One request more.
    ///
    /// # Errors
    /// Seconds until there is room for one. Where no bucket can be made because all are in use,
    /// nobody new passes: a bucket in use that was dropped would be a full one again.
    pub fn take(&self, key: Key, rate: Rate) -> Result<(), u32> {
        let mut buckets = self.buckets.of(key);
        if !buckets.contains_key(&(key, rate)) {
            let now = self.clock.now();
            if !self.buckets.has_room(&mut buckets, |_, bucket| bucket.is_full(now)) {
                return Err(1);
            }
            buckets.insert((key, rate), Bucket::new(rate, self.clock.clone()));
        }
        let bucket = buckets.get(&(key, rate)).ok_or(1_u32)?;
        bucket.limiter.check().map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
        })
    }

    /// Takes one request back that was not carried out.
    pub fn give_back(&self, key: Key, rate: Rate) {
        if let Some(bucket) = self.buckets.of(key).get(&(key, rate)) {
            bucket.arrival.step_back(bucket.cell);
        }
    }
}

impl<C: Clock> Bucket<C> {
    fn new(rate: Rate, clock: C) -> Self {
        let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
        let (arrival, cell) = (ArrivalTime::default(), quota.replenish_interval());
        let limiter = RateLimiter::new(quota, arrival.clone(), clock);
        let made = limiter.clock().now();
        let cell = u64::try_from(cell.as_nanos()).unwrap_or(u64::MAX);
        Self { limiter, arrival, cell, made }
    }

    /// Whether a new bucket would allow no more than this one does.
    fn is_full(&self, now: C::Instant) -> bool {
        let elapsed = Duration::from(now.duration_since(self.made)).as_nanos();
        u128::from(self.arrival.0.load(Ordering::Relaxed)) <= elapsed
    }
}

impl StateStore for ArrivalTime {
    type Key = NotKeyed;

    /// Always called with the table's lock held.
    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let before = self.0.load(Ordering::Relaxed);
        let (result, after) = decide((before > 0).then(|| before.into()))?;
        self.0.store(after.into(), Ordering::Relaxed);
        Ok(result)
    }
}

impl ArrivalTime {
    fn step_back(&self, nanos: u64) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(before.saturating_sub(nanos), Ordering::Relaxed);
    }
}

/// About 200 bytes each.
const BUCKETS_MAX: usize = 1 << 16;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;

    use super::*;
    use crate::limits::Who;
    use crate::limits::key::Namer;

    fn rate(per_minute: u32, burst: u32) -> Rate {
        let number = |n| NonZeroU32::new(n).unwrap();
        Rate { per_minute: number(per_minute), burst: number(burst) }
    }

    fn key(subject: &str) -> Key {
        Namer::new(&[0; 32]).caller(&Who { issuer: "i", subject, tenant: None, model: "m" })
    }

    #[test]
    fn a_burst_passes_and_then_one_each_time_the_wait_is_over() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::new(clock.clone(), 100);
        let rate = rate(30, 3);
        assert!((0..3).all(|_| rates.take(key("a"), rate).is_ok()));
        assert_eq!(rates.take(key("a"), rate), Err(2));
        clock.advance(Duration::from_millis(1999));
        assert_eq!(rates.take(key("a"), rate), Err(1));
        clock.advance(Duration::from_millis(1));
        assert_eq!(rates.take(key("a"), rate), Ok(()));
        assert!(rates.take(key("a"), rate).is_err());
        assert_eq!(rates.take(key("b"), rate), Ok(()));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_once() {
        let rates = Rates::new(FakeRelativeClock::default(), 100);
        let rate = rate(1, 2);
        assert!((0..2).all(|_| rates.take(key("a"), rate).is_ok()));
        rates.give_back(key("a"), rate);
        assert_eq!(rates.take(key("a"), rate), Ok(()));
        assert!(rates.take(key("a"), rate).is_err());
    }

    #[test]
    fn a_full_table_drops_full_buckets_and_never_one_in_use() {
        let clock = FakeRelativeClock::default();
        let rates = Rates::new(clock.clone(), 16);
        let rate = rate(60, 1);
        let names: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        let passed: Vec<_> =
            names.iter().filter(|name| rates.take(key(name), rate).is_ok()).collect();
        assert_eq!(passed.len(), 16, "one bucket in each of sixteen tables");
        assert!(passed.iter().all(|name| rates.take(key(name), rate).is_err()));
        clock.advance(Duration::from_secs(1));
        let fresh = names.iter().find(|name| !passed.contains(name)).unwrap();
        assert_eq!(rates.take(key(fresh), rate), Ok(()));
    }
}
