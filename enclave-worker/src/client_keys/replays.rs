use std::collections::{HashMap, HashSet};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use sealgate_keys::{KeyError, Secret};

use super::NotOpened;

/// What a key has opened, as 16 bytes each of a hash keyed for this key alone.
///
/// It forgets nothing as long as the key lives: at the cap the key opens no more.
pub(super) struct Replays {
    key: Key,
    seen: HashSet<[u8; 16]>,
    by_caller: HashMap<String, u32>,
    cap: usize,
}

impl Replays {
    pub(super) fn new() -> Result<Self, KeyError> {
        Self::with_cap(CAP)
    }

    fn with_cap(cap: usize) -> Result<Self, KeyError> {
        let key = Key::new(HMAC_SHA256, Secret::random()?.expose());
        Ok(Self { key, seen: HashSet::new(), by_caller: HashMap::new(), cap })
    }

    /// Remembers an encapsulated key for good; true for the one that reaches half of the cap.
    pub(super) fn claim(&mut self, encapsulated: &[u8], caller: &str) -> Result<bool, NotOpened> {
        let hash = self.hash(encapsulated);
        if self.seen.contains(&hash) {
            return Err(NotOpened::Replayed);
        }
        if self.seen.len() >= self.cap {
            return Err(NotOpened::KeySpent);
        }
        let used = self.by_caller.get(caller).copied().unwrap_or(0);
        if used as usize >= self.cap / CALLER_PART {
            return Err(NotOpened::CallerShare);
        }
        self.by_caller.insert(caller.to_owned(), used + 1);
        self.seen.insert(hash);
        Ok(self.seen.len() == self.cap / 2)
    }

    fn hash(&self, encapsulated: &[u8]) -> [u8; 16] {
        let mut hash = [0; 16];
        let whole = sign(&self.key, encapsulated);
        hash.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }
}

/// The most one key opens: 2^18.
const CAP: usize = 1 << 18;
/// One caller may use a quarter of it, which alone never makes new keys due for the others.
const CALLER_PART: usize = 4;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn at_the_cap_nothing_more_is_opened_and_at_half_of_it_new_keys_are_wanted() {
        let mut replays = Replays::with_cap(8).unwrap();
        let claims: Vec<_> =
            (0..9u8).map(|n| replays.claim(&[n], &format!("c-{}", n / 2))).collect();
        let wanted = |from: usize, to: usize| claims[from..to].to_vec();
        assert_eq!(wanted(0, 3), [Ok(false); 3]);
        assert_eq!(claims[3], Ok(true));
        assert_eq!(wanted(4, 8), [Ok(false); 4], "asked for once");
        assert_eq!(claims[8], Err(NotOpened::KeySpent));
    }

    #[test]
    fn one_caller_cannot_bring_a_key_to_half_of_its_cap() {
        let mut replays = Replays::with_cap(16).unwrap();
        for n in 0..4u8 {
            assert_eq!(replays.claim(&[n], "greedy"), Ok(false));
        }
        assert_eq!(replays.claim(&[4], "greedy"), Err(NotOpened::CallerShare));
        assert_eq!(replays.claim(&[4], "other"), Ok(false));
    }
}
