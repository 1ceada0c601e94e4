/// A sliding window over request ids (the shape of RFC 6479): each id is claimed at most once,
/// and ids too far behind the highest are refused unseen.
pub(crate) struct ReplayWindow {
    /// One above the highest id claimed.
    end: u64,
    seen: Box<[u64; WORDS]>,
}

const WORDS: usize = 256;

impl ReplayWindow {
    /// How far behind the highest an id may arrive; several times the most requests in flight.
    pub(crate) const IDS: u64 = (WORDS as u64 - 1) * 64;

    pub(crate) fn new() -> Self {
        Self { end: 0, seen: Box::new([0; WORDS]) }
    }

    /// Whether `id` was free; it no longer is.
    pub(crate) fn claim(&mut self, id: u64) -> bool {
        if id >= u64::MAX - 64 || id + Self::IDS < self.end {
            return false;
        }
        if id >= self.end {
            self.advance(id);
        }
        let Some(word) = self.seen.get_mut(word_of(id)) else { return false };
        let bit = 1 << (id % 64);
        let free = *word & bit == 0;
        *word |= bit;
        free
    }

    /// Moves the end behind `id` and clears the words that come into use again.
    fn advance(&mut self, id: u64) {
        let last_used = self.end.div_ceil(64);
        let first_needed = id / 64;
        if first_needed.saturating_sub(last_used) >= WORDS as u64 {
            self.seen.fill(0);
        } else {
            for block in last_used..=first_needed {
                if let Some(word) = self.seen.get_mut(word_of(block * 64)) {
                    *word = 0;
                }
            }
        }
        self.end = id + 1;
    }
}

const fn word_of(id: u64) -> usize {
    ((id / 64) % WORDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn an_id_is_claimed_once_in_any_order() {
        let mut window = ReplayWindow::new();
        for id in [0, 5, 3, 64, 63, 65, 1, 4000, 128] {
            assert!(window.claim(id), "{id} is free");
            assert!(!window.claim(id), "{id} is taken");
        }
    }

    #[test]
    fn an_id_far_behind_is_refused_though_it_was_never_seen() {
        let mut window = ReplayWindow::new();
        assert!(window.claim(ReplayWindow::IDS + 10));
        assert!(!window.claim(9));
        assert!(window.claim(11));
    }

    #[test]
    fn a_long_walk_agrees_with_a_set_of_all_ids() {
        let (mut window, mut seen, mut id, mut step) =
            (ReplayWindow::new(), HashSet::new(), 0u64, 1u64);
        for _ in 0..200_000 {
            step = step
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let jump = (step >> 33) % 300;
            id = (id + jump).saturating_sub(140);
            assert_eq!(window.claim(id), seen.insert(id), "id {id}");
        }
    }

    #[test]
    fn a_jump_over_the_whole_window_forgets_nothing_that_matters() {
        let mut window = ReplayWindow::new();
        assert!(window.claim(7));
        assert!(window.claim(10 * ReplayWindow::IDS));
        assert!(!window.claim(7));
        assert!(!window.claim(10 * ReplayWindow::IDS));
    }
}
