//! Requests in flight, per caller and model.

use std::sync::Arc;

use super::key::Key;
use super::shards::Shards;

/// Who has how many requests in flight. Bounded by what the whole gateway has in flight.
pub struct Concurrency(Arc<Shards<Key, u32>>);

/// One request in flight; free again when dropped.
pub struct Slot {
    counts: Arc<Shards<Key, u32>>,
    key: Key,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self(Arc::new(Shards::new(usize::MAX)))
    }
}

impl Concurrency {
    /// One request more, unless `max` are in flight.
    pub fn enter(&self, key: Key, max: u32) -> Option<Slot> {
        let mut counts = self.0.of(key);
        let count = counts.entry(key).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Slot { counts: Arc::clone(&self.0), key })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counts.of(self.key);
        if let Some(count) = counts.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::limits::Who;
    use crate::limits::key::Namer;

    #[test]
    fn a_place_is_free_again_when_its_request_ends_and_leaves_nothing_behind() {
        let who = Who { issuer: "i", subject: "s", tenant: None, model: "m" };
        let key = Namer::new(&[0; 32]).caller(&who);
        let concurrency = Concurrency::default();
        let first = concurrency.enter(key, 2).unwrap();
        let second = concurrency.enter(key, 2).unwrap();
        assert!(concurrency.enter(key, 2).is_none());
        drop(first);
        let third = concurrency.enter(key, 2).unwrap();
        drop((second, third));
        assert!(concurrency.0.each().all(|counts| counts.is_empty()));
    }
}
