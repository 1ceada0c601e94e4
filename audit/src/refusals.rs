//! Counting what was refused before anyone was authenticated, so that a flood writes little.

use crate::event::Refused;

/// Counts by reason for the second that is running.
///
/// At most one [`Refused`] comes out for a reason and a second, and at most
/// [`Refusals::REASONS_MAX`] for a second. Pure: the caller says what time it is.
#[derive(Default)]
pub struct Refusals {
    second: u64,
    counts: Vec<(&'static str, u32)>,
}

impl Refusals {
    /// The most reasons told apart in one second; further ones count as `other`.
    pub const REASONS_MAX: usize = 32;

    /// Counts one refusal, and hands out the counts of an earlier second that it ends.
    #[must_use = "the counts handed out belong into the log"]
    pub fn note(&mut self, reason: &'static str, now_s: u64) -> Vec<Refused> {
        let ended = self.ended(now_s);
        // A clock that steps back must not end a second twice.
        self.second = self.second.max(now_s);
        self.count(reason);
        ended
    }

    /// Hands out the counts of a second that is over, if there are any.
    #[must_use = "the counts handed out belong into the log"]
    pub fn ended(&mut self, now_s: u64) -> Vec<Refused> {
        if now_s > self.second { self.drain() } else { Vec::new() }
    }

    /// Hands out all counts, for a stop.
    #[must_use = "the counts handed out belong into the log"]
    pub fn drain(&mut self) -> Vec<Refused> {
        let second = self.second;
        self.counts
            .drain(..)
            .map(|(reason, count)| Refused { count, reason: reason.into(), second })
            .collect()
    }

    fn count(&mut self, reason: &'static str) {
        let known = self.counts.iter().any(|(known, _)| *known == reason);
        let full = self.counts.len() >= Self::REASONS_MAX - 1;
        let reason = if known || !full { reason } else { OTHER };
        match self.counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.counts.push((reason, 1)),
        }
    }
}

const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_within_a_second_makes_one_record_for_each_reason() {
        let mut refusals = Refusals::default();
        for _ in 0..10_000 {
            assert!(refusals.note("token_missing", 5).is_empty());
            assert!(refusals.note("token_expired", 5).is_empty());
        }
        let counts: Vec<_> = refusals.ended(6).iter().map(|r| (r.count, r.second)).collect();
        assert_eq!(counts, [(10_000, 5), (10_000, 5)]);
    }

    #[test]
    fn the_next_second_ends_the_one_before() {
        let mut refusals = Refusals::default();
        let _ = refusals.note("token_missing", 5);
        let ended = refusals.note("token_missing", 6);
        assert_eq!(ended.len(), 1);
        assert_eq!(ended.first().map(|r| (r.count, r.second)), Some((1, 5)));
    }

    #[test]
    fn the_running_second_is_not_handed_out() {
        let mut refusals = Refusals::default();
        let _ = refusals.note("token_missing", 5);
        assert!(refusals.ended(5).is_empty());
    }

    #[test]
    fn a_clock_that_steps_back_ends_nothing() {
        let mut refusals = Refusals::default();
        let _ = refusals.note("token_missing", 5);
        assert!(refusals.note("token_missing", 3).is_empty());
        assert_eq!(refusals.drain().first().map(|r| r.count), Some(2));
    }

    #[test]
    fn more_reasons_than_the_limit_count_as_other() {
        let mut refusals = Refusals::default();
        for i in 0..100_u8 {
            let reason: &'static str = Box::leak(i.to_string().into_boxed_str());
            let _ = refusals.note(reason, 5);
        }
        let ended = refusals.drain();
        assert_eq!(ended.len(), Refusals::REASONS_MAX);
        assert_eq!(ended.iter().map(|r| r.count).sum::<u32>(), 100);
        assert_eq!(ended.last().map(|r| r.reason.as_str()), Some("other"));
    }
}
