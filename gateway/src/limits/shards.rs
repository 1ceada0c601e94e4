//! A table that many requests use at once, with a bound on its size.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::key::Key;

/// Tables by key, each under a lock of its own that is never held across an await.
pub struct Shards<K, V> {
    shards: [Mutex<HashMap<K, V>>; SHARDS],
    entries_max: usize,
}

impl<K: Hash + Eq, V> Shards<K, V> {
    /// Holds about `entries_max` entries at most.
    pub fn new(entries_max: usize) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { shards, entries_max: entries_max.div_ceil(SHARDS) }
    }

    /// The table in which what belongs to `key` lies.
    pub fn of(&self, key: Key) -> MutexGuard<'_, HashMap<K, V>> {
        let [first, ..] = *key.as_bytes();
        // Keys are keyed hashes: their bytes are spread evenly.
        let shard = self.shards.get(usize::from(first) % SHARDS);
        shard.unwrap_or(&self.shards[0]).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each table in turn.
    pub fn each(&self) -> impl Iterator<Item = MutexGuard<'_, HashMap<K, V>>> {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a table may get one entry more, after letting go of those that `is_idle`.
    pub fn has_room(
        &self,
        table: &mut HashMap<K, V>,
        mut is_idle: impl FnMut(&K, &V) -> bool,
    ) -> bool {
        if table.len() >= self.entries_max {
            table.retain(|key, value| !is_idle(key, value));
        }
        table.len() < self.entries_max
    }
}

const SHARDS: usize = 16;
