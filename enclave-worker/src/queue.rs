//! The bounded queue between the socket and the inference threads.

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

    /// Waits for an item; none when the queue is closed and empty.
    pub(crate) fn take(&self) -> Option<T> {
        let mut inner = self.lock();
        loop {
            if let Some(item) = inner.items.pop_front() {
                return Some(item);
            }
            if inner.closed {
                return None;
            }
            inner = self.arrived.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let queue = Queue::new(1);
        assert_eq!(queue.offer(1), Ok(()));
        assert_eq!(queue.offer(2), Err(2));
        assert_eq!(queue.take(), Some(1));
        assert_eq!(queue.offer(3), Ok(()));
    }

    #[test]
    fn a_closed_queue_hands_out_what_it_holds_and_takes_nothing_new() {
        let queue = Queue::new(2);
        assert_eq!(queue.offer(1), Ok(()));
        queue.close();
        assert_eq!(queue.offer(2), Err(2));
        assert_eq!(queue.take(), Some(1));
        assert_eq!(queue.take(), None);
    }
}
