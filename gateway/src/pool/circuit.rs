//! Whether it is worth waiting for a pool's workers: not while each that is started dies before it
//! has answered anything. Pure: time is passed in.

use std::time::{Duration, Instant};

/// What has become of the workers of late.
#[derive(Debug, Default)]
pub struct Circuit {
    /// Workers in a row that ended without an answer, or did not start.
    in_vain: u32,
    open_until: Option<Instant>,
}

impl Circuit {
    /// A worker ended, or could not be started.
    pub fn ended(&mut self, now: Instant, had_answered: bool) {
        if had_answered {
            *self = Self::default();
            return;
        }
        self.in_vain = self.in_vain.saturating_add(1);
        if let Some(more) = self.in_vain.checked_sub(IN_VAIN_MAX) {
            self.open_until = Some(now + (PAUSE_MIN * 2_u32.pow(more.min(6))).min(PAUSE_MAX));
        }
    }

    /// For how long nobody should ask, if it is open.
    #[must_use]
    pub fn open_for(&self, now: Instant) -> Option<Duration> {
        self.open_until.map(|until| until.saturating_duration_since(now)).filter(|d| !d.is_zero())
    }
}

/// So many in a row open it.
const IN_VAIN_MAX: u32 = 3;
/// How long it is open at first; each further death doubles it.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_when_one_after_the_other_dies_in_vain_and_for_longer_each_time() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        circuit.ended(now, false);
        circuit.ended(now, false);
        assert_eq!(circuit.open_for(now), None);
        circuit.ended(now, false);
        assert_eq!(circuit.open_for(now), Some(Duration::from_secs(1)));
        assert_eq!(circuit.open_for(now + Duration::from_secs(1)), None, "then it is tried again");
        circuit.ended(now, false);
        assert_eq!(circuit.open_for(now), Some(Duration::from_secs(2)));
        (0..40).for_each(|_| circuit.ended(now, false));
        assert_eq!(circuit.open_for(now), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_worker_that_has_answered_closes_it() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        (0..9).for_each(|_| circuit.ended(now, false));
        circuit.ended(now, true);
        assert_eq!(circuit.open_for(now), None);
        circuit.ended(now, false);
        assert_eq!(circuit.open_for(now), None, "it counts anew");
    }

    #[test]
    fn workers_that_answer_and_are_killed_do_not_open_it() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        (0..100).for_each(|_| circuit.ended(now, true));
        assert_eq!(circuit.open_for(now), None);
    }
}
