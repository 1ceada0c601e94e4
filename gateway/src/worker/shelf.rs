//! What waits to be used, and not for too long. Pure: time is passed in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many of something, each good for as long as `age_max`.
pub(super) struct Shelf<T> {
    waiting: VecDeque<(Instant, T)>,
    count: usize,
    age_max: Duration,
}

impl<T> Shelf<T> {
    /// Room for `count`.
    pub(super) const fn new(count: usize, age_max: Duration) -> Self {
        Self { waiting: VecDeque::new(), count, age_max }
    }

    /// The oldest that is good still and that `serves`; what stood before it is dropped.
    pub(super) fn take(
        &mut self,
        now: Instant,
        mut serves: impl FnMut(&mut T) -> bool,
    ) -> Option<T> {
        while let Some((since, mut one)) = self.waiting.pop_front() {
            if now.saturating_duration_since(since) < self.age_max && serves(&mut one) {
                return Some(one);
            }
        }
        None
    }

    /// Drops what is not good any more or does not serve, and puts what `make` makes in its place.
    ///
    /// # Errors
    /// The first of `make`; what was made before it stays.
    pub(super) fn fill<E>(
        &mut self,
        now: Instant,
        mut serves: impl FnMut(&mut T) -> bool,
        mut make: impl FnMut() -> Result<T, E>,
    ) -> Result<(), E> {
        let age_max = self.age_max;
        let is_good = |since: Instant| now.saturating_duration_since(since) < age_max;
        self.waiting.retain_mut(|(since, one)| is_good(*since) && serves(one));
        while self.waiting.len() < self.count {
            self.waiting.push_back((now, make()?));
        }
        Ok(())
    }

    /// Drops all.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE_MAX: Duration = Duration::from_secs(150);

    fn filled(now: Instant, made: &mut u32) -> Shelf<u32> {
        let mut shelf = Shelf::new(2, AGE_MAX);
        refill(&mut shelf, now, made);
        shelf
    }

    fn refill(shelf: &mut Shelf<u32>, now: Instant, made: &mut u32) {
        let filled: Result<(), ()> = shelf.fill(
            now,
            |_| true,
            || {
                *made += 1;
                Ok(*made)
            },
        );
        assert_eq!(filled, Ok(()));
    }

    #[test]
    fn what_waits_is_used_in_its_order_and_not_replaced_while_it_is_good() {
        let (mut made, now) = (0, Instant::now());
        let mut shelf = filled(now, &mut made);
        refill(&mut shelf, now + AGE_MAX / 2, &mut made);
        assert_eq!(made, 2);
        let soon = now + AGE_MAX.mul_f64(0.9);
        assert_eq!(shelf.take(soon, |_| true), Some(1));
        assert_eq!(shelf.take(soon, |_| true), Some(2));
        assert_eq!(shelf.take(soon, |_| true), None);
    }

    #[test]
    fn what_is_too_old_is_not_used_also_before_it_is_replaced() {
        let (mut made, now) = (0, Instant::now());
        let mut shelf = filled(now, &mut made);
        assert_eq!(shelf.take(now + AGE_MAX, |_| true), None);
    }

    #[test]
    fn what_is_too_old_is_replaced() {
        let (mut made, now) = (0, Instant::now());
        let mut shelf = filled(now, &mut made);
        refill(&mut shelf, now + AGE_MAX, &mut made);
        assert_eq!(made, 4);
        assert_eq!(shelf.take(now + AGE_MAX, |_| true), Some(3));
    }

    #[test]
    fn what_does_not_serve_any_more_is_passed_over() {
        let (mut made, now) = (0, Instant::now());
        let mut shelf = filled(now, &mut made);
        assert_eq!(shelf.take(now, |one| *one != 1), Some(2));
    }
}
