//! The one-byte ids of the keys that clients seal to: who has which, and which are free.
//!
//! Pure: time is passed in. An id that clients were given rests for a while after its key was
//! destroyed, and the one that has rested longest is taken first
//! (`docs/decisions/005-key-ids-come-back.md`).

use std::time::{Duration, Instant};

/// All 256 ids; `T` says whose a key is.
pub struct KeyIds<T> {
    slots: Vec<Slot<T>>,
    rest: Duration,
}

/// Whose a key is, as far as ids are concerned.
pub trait Holder: Clone {
    /// Whether any client was given the id. If none was, nobody can mistake the next key for this
    /// one, and the id need not rest.
    fn was_given(&self) -> bool;
}

enum Slot<T> {
    Fresh,
    Taken { holder: T, until: Instant },
    Resting { since: Instant },
}

impl<T: Holder> KeyIds<T> {
    /// All free. What was given to clients rests for `rest`.
    #[must_use]
    pub fn new(rest: Duration) -> Self {
        Self { slots: (0..=u8::MAX).map(|_| Slot::Fresh).collect(), rest }
    }

    /// Takes two ids for keys that are destroyed at `until`; none when two are not free.
    pub fn take(&mut self, holder: &T, now: Instant, until: Instant) -> Option<[u8; 2]> {
        self.settle(now);
        let mut free: Vec<_> =
            (0..=u8::MAX).filter_map(|id| Some((self.free_since(id, now)?, id))).collect();
        free.sort_unstable();
        let &[(_, first), (_, second), ..] = free.as_slice() else { return None };
        for id in [first, second] {
            *self.slot(id)? = Slot::Taken { holder: holder.clone(), until };
        }
        Some([first, second])
    }

    /// Says more of whose keys these are.
    pub fn assign(&mut self, ids: [u8; 2], to: &T) {
        for id in ids {
            if let Some(Slot::Taken { holder, .. }) = self.slot(id) {
                holder.clone_from(to);
            }
        }
    }

    /// The keys of these ids end at `until`, if they did not end before.
    pub fn shorten(&mut self, ids: [u8; 2], end: Instant) {
        for id in ids {
            if let Some(Slot::Taken { until, .. }) = self.slot(id) {
                *until = end.min(*until);
            }
        }
    }

    /// The keys of these holders are no more: their worker is gone.
    pub fn release(&mut self, now: Instant, gone: impl Fn(&T) -> bool) {
        for slot in &mut self.slots {
            if let Slot::Taken { holder, .. } = slot
                && gone(holder)
            {
                *slot = Slot::after(holder, now);
            }
        }
    }

    /// Whose key this is.
    pub fn holder(&self, id: u8, now: Instant) -> Option<T> {
        match self.slots.get(usize::from(id))? {
            Slot::Taken { holder, until } if now < *until => Some(holder.clone()),
            _ => None,
        }
    }

    fn slot(&mut self, id: u8) -> Option<&mut Slot<T>> {
        self.slots.get_mut(usize::from(id))
    }

    fn settle(&mut self, now: Instant) {
        for slot in &mut self.slots {
            if let Slot::Taken { holder, until } = slot
                && *until <= now
            {
                *slot = Slot::after(holder, *until);
            }
        }
    }

    /// Since when an id is free: none if it is not, the earliest for one that need not have rested.
    fn free_since(&self, id: u8, now: Instant) -> Option<Option<Instant>> {
        match self.slots.get(usize::from(id))? {
            Slot::Fresh => Some(None),
            Slot::Resting { since } => {
                (now.saturating_duration_since(*since) >= self.rest).then_some(Some(*since))
            }
            Slot::Taken { .. } => None,
        }
    }
}

impl<T: Holder> Slot<T> {
    fn after(holder: &T, end: Instant) -> Self {
        if holder.was_given() { Self::Resting { since: end } } else { Self::Fresh }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const LIFE: Duration = Duration::from_secs(1200);
    const REST: Duration = Duration::from_secs(3600);

    /// A number, and whether a client was given the id.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Whose(u32, bool);

    impl Holder for Whose {
        fn was_given(&self) -> bool {
            self.1
        }
    }

    fn exhausted(now: Instant) -> KeyIds<Whose> {
        let mut ids = KeyIds::new(REST);
        let mut seen = std::collections::HashSet::new();
        for n in 0..128 {
            for id in ids.take(&Whose(n, true), now, now + LIFE).unwrap() {
                assert!(seen.insert(id), "{id} twice");
            }
        }
        ids
    }

    fn next(ids: &mut KeyIds<Whose>, now: Instant) -> Option<[u8; 2]> {
        ids.take(&Whose(999, true), now, now + LIFE)
    }

    #[test]
    fn when_all_are_taken_there_is_no_new_key() {
        let now = Instant::now();
        assert_eq!(next(&mut exhausted(now), now), None);
    }

    #[test]
    fn an_id_comes_back_when_it_has_rested_and_not_before() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        let free = now + LIFE + REST;
        let before = free.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(next(&mut ids, before), None);
        assert_eq!(next(&mut ids, free), Some([0, 1]));
    }

    #[test]
    fn of_a_worker_that_is_gone_the_ids_rest_from_then_on() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        ids.release(now, |whose| whose.0 == 4);
        assert_eq!(next(&mut ids, now + REST), Some([8, 9]));
        assert_eq!(next(&mut ids, now + REST), None);
    }

    #[test]
    fn keys_that_end_early_give_their_ids_back_early() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        ids.shorten([8, 9], now + LIFE / 2);
        assert_eq!(ids.holder(8, now + LIFE / 2), None);
        assert_eq!(next(&mut ids, now + LIFE / 2 + REST), Some([8, 9]));
    }

    #[test]
    fn an_id_that_no_client_was_given_need_not_rest() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        ids.assign([4, 5], &Whose(2, false));
        ids.release(now, |whose| whose.0 == 2);
        assert_eq!(next(&mut ids, now), Some([4, 5]));
        ids.assign([6, 7], &Whose(3, false));
        assert_eq!(next(&mut ids, now), None, "its worker still has the key");
        assert_eq!(next(&mut ids, now + LIFE), Some([6, 7]));
    }

    #[test]
    fn one_free_id_is_not_taken_alone() {
        let now = Instant::now();
        let mut ids = exhausted(now);
        ids.assign([8, 8], &Whose(777, false));
        ids.release(now, |whose| whose.0 == 777);
        assert_eq!(next(&mut ids, now), None);
        ids.assign([9, 9], &Whose(777, false));
        ids.release(now, |whose| whose.0 == 777);
        assert_eq!(next(&mut ids, now), Some([8, 9]), "8 was left free");
    }

    #[test]
    fn an_id_has_a_holder_until_its_keys_end() {
        let now = Instant::now();
        let mut ids = KeyIds::new(REST);
        let taken = ids.take(&Whose(1, false), now, now + LIFE).unwrap();
        ids.assign(taken, &Whose(7, true));
        assert_eq!(ids.holder(taken[1], now), Some(Whose(7, true)));
        assert_eq!(ids.holder(taken[1], now + LIFE), None);
        assert_eq!(ids.holder(200, now), None);
    }
}
