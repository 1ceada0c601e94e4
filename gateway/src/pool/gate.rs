//! Places with the workers of a pool: so many for each worker that answers, and a queue before them.
//!
//! Places are given in the order in which they were asked for. Who would wait longer than he has
//! time, or finds the queue full, is told at once, with the time after which to come again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places and the queue.
pub struct Gate {
    free: Arc<Semaphore>,
    room: Mutex<Room>,
    waiting: AtomicUsize,
    waiting_max: usize,
    /// A moving average of how long a place is kept, in microseconds.
    kept_us: AtomicU64,
}

#[derive(Default)]
struct Room {
    /// As many as the workers that answer have together.
    places: usize,
    /// Taken when their worker went: they leave with whoever has them.
    owed: usize,
}

/// A place, until it is dropped.
pub struct Place {
    gate: Arc<Gate>,
    since: Instant,
    permit: Option<OwnedSemaphorePermit>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// As many wait as may, or longer than there is time.
    Full {
        /// When to come again, in seconds.
        retry_after_s: u32,
    },
    /// None became free in time.
    TooLate,
}

/// Leaves the queue when dropped.
struct Waiting<'a>(&'a Gate);

impl Gate {
    /// No places yet, and a queue of at most `waiting_max`.
    #[must_use]
    pub fn new(waiting_max: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(0)),
            room: Mutex::default(),
            waiting: AtomicUsize::new(0),
            waiting_max,
            kept_us: AtomicU64::new(0),
        })
    }

    /// A worker came that has so many places.
    pub fn widen(&self, places: usize) {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.places += places;
        let paid = room.owed.min(places);
        room.owed -= paid;
        self.free.add_permits(places - paid);
    }

    /// A worker with so many places went.
    pub fn narrow(&self, places: usize) {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        room.places = room.places.saturating_sub(places);
        room.owed += places - self.free.forget_permits(places);
    }

    /// A place, if one is free and nobody waits for it.
    #[must_use]
    pub fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(self.place(permit))
    }

    /// A place, after waiting for one until `deadline` where that is likely to be enough.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub async fn enter(self: &Arc<Self>, deadline: Instant) -> Result<Place, NoPlace> {
        if let Some(place) = self.try_enter() {
            return Ok(place);
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _in_queue = Waiting(self);
        let patience = deadline.saturating_duration_since(Instant::now());
        if waiting >= self.waiting_max || self.wait_behind(waiting) > patience {
            return Err(NoPlace::Full { retry_after_s: self.retry_after_s(waiting) });
        }
        let permit = Arc::clone(&self.free).acquire_owned();
        match tokio::time::timeout(patience, permit).await {
            Ok(Ok(permit)) => Ok(self.place(permit)),
            _ => Err(NoPlace::TooLate),
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// In how many seconds so many who wait can be expected to have had a place: from 1 to 60.
    #[must_use]
    pub fn retry_after_s(&self, waiting: usize) -> u32 {
        let seconds = self.wait_behind(waiting).as_secs_f64().ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let seconds = seconds.clamp(1.0, RETRY_AFTER_MAX_S) as u32;
        seconds
    }

    /// How long it takes until so many have had a place (Little's law); nothing is known while no
    /// worker answers.
    fn wait_behind(&self, waiting: usize) -> Duration {
        let places = self.room.lock().unwrap_or_else(PoisonError::into_inner).places;
        let turns = waiting.saturating_add(1);
        let us = self.kept_us.load(Ordering::Relaxed).saturating_mul(turns as u64);
        Duration::from_micros(us.checked_div(places as u64).unwrap_or(0))
    }

    fn place(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        Place { gate: Arc::clone(self), since: Instant::now(), permit: Some(permit) }
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
        self.gate.note(self.since.elapsed());
        let Some(permit) = self.permit.take() else { return };
        let mut room = self.gate.room.lock().unwrap_or_else(PoisonError::into_inner);
        if room.owed > 0 {
            room.owed -= 1;
            permit.forget();
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

const RETRY_AFTER_MAX_S: f64 = 60.0;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn there_are_as_many_places_as_the_workers_have() {
        let gate = Gate::new(1);
        assert_eq!(gate.enter(soon()).await.err(), Some(NoPlace::TooLate));
        gate.widen(2);
        let (one, two) = (gate.enter(soon()).await.unwrap(), gate.enter(soon()).await.unwrap());
        assert_eq!(gate.enter(soon()).await.err(), Some(NoPlace::TooLate));
        drop(one);
        let _three = gate.enter(soon()).await.unwrap();
        drop(two);
    }

    #[tokio::test]
    async fn the_places_of_a_worker_that_goes_leave_with_whoever_has_them() {
        let gate = Gate::new(1);
        gate.widen(2);
        let (one, two) = (gate.enter(soon()).await.unwrap(), gate.enter(soon()).await.unwrap());
        gate.narrow(2);
        gate.widen(1);
        drop((one, two));
        let _only = gate.enter(soon()).await.unwrap();
        assert_eq!(gate.enter(soon()).await.err(), Some(NoPlace::TooLate));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_a_worker_that_comes() {
        let gate = Gate::new(1);
        let waits = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(Instant::now() + Duration::from_secs(10)).await.is_ok() }
        });
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        gate.widen(1);
        assert!(waits.await.unwrap());
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test]
    async fn a_full_queue_says_when_to_come_again() {
        let gate = Gate::new(0);
        gate.widen(1);
        gate.note(Duration::from_millis(2_500));
        let _place = gate.enter(soon()).await.unwrap();
        assert_eq!(gate.enter(soon()).await.err(), Some(NoPlace::Full { retry_after_s: 3 }));
    }

    #[tokio::test]
    async fn who_cannot_be_served_in_time_does_not_wait() {
        let gate = Gate::new(8);
        gate.widen(1);
        gate.note(Duration::from_secs(2));
        let _place = gate.enter(soon()).await.unwrap();
        let begun = Instant::now();
        let refused = gate.enter(begun + Duration::from_secs(1)).await.err();
        assert_eq!(refused, Some(NoPlace::Full { retry_after_s: 2 }));
        assert!(begun.elapsed() < Duration::from_millis(500));
    }
}
