//! Places for requests in flight over the whole server, and how soon one is likely to be free.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// So many and no more.
pub struct Places {
    free: Arc<Semaphore>,
    places_max: usize,
    /// Room for those that wait.
    line: Semaphore,
    waiting_max: usize,
    patience: Duration,
    /// A moving average of how long requests keep their place, in microseconds.
    kept_us: AtomicU64,
}

/// A place among those in flight; free again when dropped.
pub struct Place {
    places: Arc<Places>,
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// `max` places, and a line of `waiting_max` requests that wait for one, each for so long at most.
    #[must_use]
    pub fn new(max: usize, waiting_max: usize, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(max)),
            places_max: max,
            line: Semaphore::new(waiting_max),
            waiting_max,
            patience,
            kept_us: AtomicU64::new(0),
        })
    }

    /// A place, perhaps after waiting for one in line; or in how many seconds to ask again: as long as a request
    /// keeps its place of late, for within that time all that are in flight now can be expected to end.
    ///
    /// # Errors
    /// Seconds, from 1 to 60.
    pub async fn take(self: &Arc<Self>) -> Result<Place, u32> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await.ok_or_else(|| self.retry_after_s())?,
        };
        Ok(Place { places: Arc::clone(self), since: Instant::now(), _permit: permit })
    }

    /// First come, first served.
    async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        let _in_line = self.line.try_acquire().ok()?;
        let free = Arc::clone(&self.free).acquire_owned();
        timeout(self.patience, free).await.ok()?.ok()
    }

    /// How many requests have a place.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.places_max.saturating_sub(self.free.available_permits())
    }

    /// How many wait for one.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting_max.saturating_sub(self.line.available_permits())
    }

    /// The same seconds, for what waits behind a request in flight.
    #[must_use]
    pub fn retry_after_s(&self) -> u32 {
        let seconds = self.kept_us.load(Ordering::Relaxed).div_ceil(1_000_000);
        u32::try_from(seconds.clamp(1, RETRY_AFTER_MAX_S)).unwrap_or(1)
    }

    /// An eighth of the new, seven of the old. Two at once may lose one of them.
    fn note(&self, kept: Duration) {
        let old = self.kept_us.load(Ordering::Relaxed);
        let new = u64::try_from(kept.as_micros()).unwrap_or(u64::MAX);
        let mixed = if old == 0 { new } else { old - old / 8 + new / 8 };
        self.kept_us.store(mixed, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.note(self.since.elapsed());
    }
}

const RETRY_AFTER_MAX_S: u64 = 60;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn a_full_server_says_how_long_requests_take_of_late() {
        let places = Places::new(1, 0, Duration::ZERO);
        let _place = places.take().await.unwrap();
        assert_eq!(places.take().await.err(), Some(1));
        places.note(Duration::from_millis(6_500));
        assert_eq!(places.take().await.err(), Some(7));
        (0..64).for_each(|_| places.note(Duration::from_millis(2)));
        assert_eq!(places.take().await.err(), Some(1));
        (0..64).for_each(|_| places.note(Duration::from_secs(9_000)));
        assert_eq!(places.take().await.err(), Some(60));
    }

    #[tokio::test]
    async fn who_waits_in_line_gets_the_next_place_and_nobody_before_him() {
        let places = Places::new(1, 2, PATIENCE);
        let place = places.take().await.unwrap();
        let [mut waits, mut second] = [(); 2].map(|()| Box::pin(places.take()));
        assert!((&mut waits).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        assert_eq!((places.taken(), places.waiting()), (1, 2));
        // The line is full.
        assert_eq!(places.take().await.err(), Some(1));
        drop(place);
        assert!((&mut second).now_or_never().is_none(), "somebody overtook");
        drop(waits.await.unwrap());
        drop(second.await.unwrap());
        assert_eq!((places.taken(), places.waiting()), (0, 0));
        let place = places.take().await.unwrap();
        let begun = Instant::now();
        assert_eq!(places.take().await.err(), Some(1));
        assert!(begun.elapsed() >= PATIENCE);
        // Who gave up left the line.
        let mut waits = Box::pin(places.take());
        assert!((&mut waits).now_or_never().is_none());
        drop(place);
        drop(waits.await.unwrap());
    }
}
