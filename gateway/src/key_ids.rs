//! The one-byte ids of the keys that clients seal to: who has which, and which are free.
//!
//! Pure: time is passed in. An id rests for an hour after its key was destroyed, and the one that
//! has rested longest is taken first (`docs/decisions/005-key-ids-come-back-after-an-hour.md`).

use std::time::{Duration, Instant};

/// All 256 ids; `T` says whose a key is.
pub struct KeyIds<T> {
    slots: Vec<Slot<T>>,
}

enum Slot<T> {
    Fresh,
    Taken { owner: Option<T>, until: Instant },
    Resting { since: Instant },
}

impl<T> Default for KeyIds<T> {
    fn default() -> Self {
        Self { slots: (0..=u8::MAX).map(|_| Slot::Fresh).collect() }
    }
}

impl<T: Clone> KeyIds<T> {
    /// How long an id rests.
    pub const REST: Duration = Duration::from_secs(3600);

    /// Takes two ids for keys that are destroyed at `until`; none when two are not free.
    pub fn take(&mut self, now: Instant, until: Instant) -> Option<[u8; 2]> {
        self.settle(now);
        let first = self.longest_free(now)?;
        let before = std::mem::replace(self.slot(first)?, Slot::Taken { owner: None, until });
        let Some(second) = self.longest_free(now) else {
            *self.slot(first)? = before;
            return None;
        };
        *self.slot(second)? = Slot::Taken { owner: None, until };
        Some([first, second])
    }

    /// Says whose keys have these ids, from when on requests may name them.
    pub fn assign(&mut self, ids: [u8; 2], to: &T) {
        for id in ids {
            if let Some(Slot::Taken { owner, .. }) = self.slot(id) {
                *owner = Some(to.clone());
            }
        }
    }

    /// These keys were never offered: whatever became of them, nobody seals to them.
    pub fn release(&mut self, ids: [u8; 2], now: Instant) {
        for id in ids {
            if let Some(slot @ Slot::Taken { .. }) = self.slot(id) {
                *slot = Slot::Resting { since: now };
            }
        }
    }

    /// The keys of these owners are no more: their worker is gone. An id that no client was given
    /// need not rest, so that a worker which keeps failing does not use them up.
    pub fn release_where(
        &mut self,
        now: Instant,
        gone: impl Fn(&T) -> bool,
        given: impl Fn(&T) -> bool,
    ) {
        for slot in &mut self.slots {
            if let Slot::Taken { owner: Some(owner), .. } = slot
                && gone(owner)
            {
                *slot = if given(owner) { Slot::Resting { since: now } } else { Slot::Fresh };
            }
        }
    }

    /// Whose key this is.
    pub fn owner(&self, id: u8, now: Instant) -> Option<T> {
        match self.slots.get(usize::from(id))? {
            Slot::Taken { owner, until } if now < *until => owner.clone(),
            _ => None,
        }
    }

    fn slot(&mut self, id: u8) -> Option<&mut Slot<T>> {
        self.slots.get_mut(usize::from(id))
    }

    /// Keys that have come to their end rest from then on.
    fn settle(&mut self, now: Instant) {
        for slot in &mut self.slots {
            if let Slot::Taken { until, .. } = slot
                && *until <= now
            {
                *slot = Slot::Resting { since: *until };
            }
        }
    }

    fn longest_free(&self, now: Instant) -> Option<u8> {
        let since = |slot: &Slot<T>| match slot {
            Slot::Fresh => Some(None),
            Slot::Resting { since } => {
                (now.saturating_duration_since(*since) >= Self::REST).then_some(Some(*since))
            }
            Slot::Taken { .. } => None,
        };
        let free = self.slots.iter().enumerate();
        let free = free.filter_map(|(id, slot)| Some((since(slot)?, u8::try_from(id).ok()?)));
        free.min().map(|(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const LIFE: Duration = Duration::from_secs(1200);

    fn exhausted(now: Instant) -> KeyIds<u32> {
        let mut ids = KeyIds::default();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..128 {
            for id in ids.take(now, now + LIFE).unwrap() {
                assert!(seen.insert(id), "{id} twice");
            }
        }
        ids
    }

    #[test]
    fn when_all_are_taken_there_is_no_new_key() {
        let now = Instant::now();
        assert_eq!(exhausted(now).take(now, now + LIFE), None);
    }

    #[test]
    fn an_id_comes_back_an_hour_after_its_key_and_not_before() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        let free = now + LIFE + KeyIds::<u32>::REST;
        let before = free.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(ids.take(before, free), None);
        assert_eq!(ids.take(free, free + LIFE), Some([0, 1]));
    }

    #[test]
    fn of_a_worker_that_is_gone_the_ids_rest_from_then_on() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        ids.release([8, 9], now);
        let free = now + KeyIds::<u32>::REST;
        assert_eq!(ids.take(free, free + LIFE), Some([8, 9]));
        assert_eq!(ids.take(free, free + LIFE), None);
    }

    #[test]
    fn an_id_that_no_client_was_given_need_not_rest() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        ids.assign([2, 3], &1);
        ids.assign([4, 5], &2);
        ids.release_where(now, |&owner| owner == 1, |_| true);
        assert_eq!(ids.take(now, now + LIFE), None);
        ids.release_where(now, |&owner| owner == 2, |_| false);
        assert_eq!(ids.take(now, now + LIFE), Some([4, 5]));
    }

    #[test]
    fn one_free_id_is_not_taken_alone() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        ids.release([8, 8], now);
        let free = now + KeyIds::<u32>::REST;
        assert_eq!(ids.take(free, free + LIFE), None);
        let all_free = free + LIFE;
        assert_eq!(ids.take(all_free, all_free + LIFE), Some([8, 0]), "8 was put back");
    }

    #[test]
    fn an_id_has_an_owner_from_when_it_is_assigned_until_its_keys_end() {
        let now = Instant::now();
        let mut ids = KeyIds::default();
        let taken = ids.take(now, now + LIFE).unwrap();
        assert_eq!(ids.owner(taken[0], now), None);
        ids.assign(taken, &7);
        assert_eq!(ids.owner(taken[1], now), Some(7));
        assert_eq!(ids.owner(taken[1], now + LIFE), None);
        assert_eq!(ids.owner(200, now), None);
    }
}
