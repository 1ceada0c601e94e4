//! The bounded queue between the socket and the inference threads.
//!
//! A thread that becomes free takes its share of what waits: with nothing behind it a request is
//! taken at once and alone, and under load no timer has to be waited for.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// First in, first out; full means refused, never waiting.
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    arrived: Condvar,
    max: usize,
}

struct Inner<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(max: usize) -> Self {
        let inner = Inner { items: VecDeque::with_capacity(max.min(1024)), closed: false };
        Self { inner: Mutex::new(inner), arrived: Condvar::new(), max }
    }

    /// Takes an item in, or gives it back when the queue is full or closed.
    pub(crate) fn offer(&self, item: T) -> Result<(), T> {
        let mut inner = self.lock();
        if inner.closed || inner.items.len() >= self.max {
            return Err(item);
        }
        inner.items.push_back(item);
        drop(inner);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for an item and takes it, with as many that wait behind it as `share` allows; none
    /// when the queue is closed and empty.
    pub(crate) fn take(&self, share: &Share<T>) -> Option<Vec<T>> {
        let mut inner = self.lock();
        while inner.items.is_empty() {
            if inner.closed {
                return None;
            }
            inner = self.arrived.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let count = share.of(&inner.items);
        Some(inner.items.drain(..count).collect())
    }

    /// Lets what waits be finished and wakes whoever waits for more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of a queue one taker takes. Never nothing, whatever the limits say.
pub(crate) struct Share<T> {
    /// Who takes beside each other: what waits is divided among so many.
    pub(crate) takers: usize,
    /// At most so many items,
    pub(crate) items_max: usize,
    /// of this weight together, but for the first.
    pub(crate) weight_max: usize,
    pub(crate) weight: fn(&T) -> usize,
}

impl<T> Share<T> {
    fn of(&self, items: &VecDeque<T>) -> usize {
        let fair = items.len().div_ceil(self.takers.max(1));
        let first = items.front().map_or(0, self.weight);
        let mut left = self.weight_max.saturating_sub(first);
        let light = |item: &&T| {
            let weight = (self.weight)(item);
            let fits = weight <= left;
            left = left.saturating_sub(weight);
            fits
        };
        let behind = items.iter().skip(1).take(fair.min(self.items_max).saturating_sub(1));
        1 + behind.take_while(light).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(takers: usize, items_max: usize, weight_max: usize) -> Share<usize> {
        Share { takers, items_max, weight_max, weight: |item| *item }
    }

    /// What a taker gets of `items`.
    fn taken(items: &[usize], share: &Share<usize>) -> usize {
        let queue = Queue::new(items.len());
        assert!(items.iter().all(|item| queue.offer(*item).is_ok()));
        let taken = queue.take(share).unwrap_or_default();
        assert_eq!(items.get(..taken.len()), Some(&*taken), "in their order");
        taken.len()
    }

    #[test]
    fn a_lone_item_is_taken_whatever_it_weighs() {
        assert_eq!(taken(&[99], &share(1, 0, 0)), 1);
        assert_eq!(taken(&[99, 1], &share(1, 8, 50)), 1);
    }

    #[test]
    fn what_waits_is_divided_among_the_takers() {
        assert_eq!(taken(&[1; 7], &share(1, 99, 99)), 7);
        assert_eq!(taken(&[1; 7], &share(2, 99, 99)), 4);
        assert_eq!(taken(&[1; 7], &share(99, 99, 99)), 1);
    }

    #[test]
    fn a_share_is_bounded_in_items_and_in_weight() {
        assert_eq!(taken(&[1; 7], &share(1, 3, 99)), 3);
        assert_eq!(taken(&[1; 7], &share(1, 99, 3)), 3);
        assert_eq!(taken(&[1, 1, 5, 1], &share(1, 99, 4)), 2);
    }

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let queue = Queue::new(1);
        assert_eq!(queue.offer(1), Ok(()));
        assert_eq!(queue.offer(2), Err(2));
        assert_eq!(queue.take(&share(1, 1, 0)), Some(vec![1]));
        assert_eq!(queue.offer(3), Ok(()));
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_holds_and_takes_nothing_new() {
        let queue = Queue::new(2);
        assert_eq!(queue.offer(1), Ok(()));
        queue.close();
        assert_eq!(queue.offer(2), Err(2));
        assert_eq!(queue.take(&share(1, 1, 0)), Some(vec![1]));
        assert_eq!(queue.take(&share(1, 1, 0)), None);
    }
}
