//! Times, counted by how long they were.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts of times up to each of fixed bounds. Each number is read by itself; they are no snapshot.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Up to each bound and above the one before; the last has none.
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// One more.
    pub fn observe(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|&bound| bound < us);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// How many were at most so many seconds long, for each bound.
    pub fn up_to(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut sum = 0;
        self.counts.iter().zip(BOUNDS_US).map(move |(count, bound)| {
            sum += count.load(Ordering::Relaxed);
            (seconds(bound), sum)
        })
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// All of them together.
    #[must_use]
    pub fn sum_s(&self) -> f64 {
        seconds(self.sum_us.load(Ordering::Relaxed))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rounded sum is as good")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// From a row's inference to the longest wait that there is.
const BOUNDS_US: [u64; 20] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_up_to_every_bound_that_it_does_not_exceed() {
        let histogram = Histogram::default();
        for us in [0, 10, 11, 1_000, 40_000_000] {
            histogram.observe(Duration::from_micros(us));
        }
        let up_to: Vec<_> = histogram.up_to().collect();
        assert_eq!(up_to.first(), Some(&(0.00001, 2)));
        assert_eq!(up_to.get(1), Some(&(0.000025, 3)));
        assert_eq!(up_to.get(6), Some(&(0.001, 4)));
        assert_eq!(up_to.last(), Some(&(30.0, 4)));
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum_s() - 40.001_021).abs() < 1e-9);
    }
}
