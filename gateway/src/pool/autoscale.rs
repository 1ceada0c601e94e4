//! How many workers a load needs: Knative's pod autoscaler (KPA), as a pure function of what was
//! seen and when.
//!
//! Every tick the concurrency seen since the last one is recorded: requests that are worked on or
//! wait, on average over time. Two windows average it. The long one steers; when the short one asks
//! for twice the workers there are, the scaler panics: it follows the short window, and takes no
//! worker away until a whole long window has passed without such a need.
//!
//! Source: Knative Serving, `docs/scaling/SYSTEM.md` and `pkg/autoscaler/scaling/autoscaler.go`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the scaler goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// Workers at least.
    pub min: usize,
    /// Workers at most; at least 1 and not below `min`.
    pub max: usize,
    /// Concurrent requests that each worker should have: a share of what it may have at most.
    pub target: f64,
    /// Time between two decisions.
    pub tick: Duration,
    /// The long window.
    pub stable_window: Duration,
    /// The short window.
    pub panic_window: Duration,
    /// How long nothing must have been asked, after the long window says so, before the last
    /// worker ends.
    pub idle_grace: Duration,
}

/// What was seen, and whether it panics.
#[derive(Debug)]
pub struct Autoscaler {
    scaling: Scaling,
    /// When, and the average concurrency of the tick that ended then.
    seen: VecDeque<(Instant, f64)>,
    panic: Option<Panic>,
    /// When it first saw anything.
    begun: Option<Instant>,
    /// Since when nothing is needed.
    idle_since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Panic {
    /// When a need for it was last seen.
    last: Instant,
    /// What it asked for at most.
    workers: usize,
}

/// How many workers there should be, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// So many.
    pub workers: usize,
    /// Whether it panics.
    pub panicking: bool,
    /// What the long window needs, unrounded: Ro of R = Ra/Ro.
    pub needed: f64,
}

impl Autoscaler {
    /// One that has seen nothing.
    #[must_use]
    pub const fn new(scaling: Scaling) -> Self {
        Self { scaling, seen: VecDeque::new(), panic: None, begun: None, idle_since: None }
    }

    /// The tick that ends now had this average concurrency.
    pub fn record(&mut self, now: Instant, concurrency: f64) {
        self.begun.get_or_insert(now);
        self.seen.push_back((now, concurrency.max(0.0)));
        while self.seen.front().is_some_and(|(at, _)| before(*at, now, self.scaling.stable_window))
        {
            self.seen.pop_front();
        }
    }

    /// How many workers there should be when `ready` answer.
    pub fn decide(&mut self, now: Instant, ready: usize) -> Decision {
        let Scaling { min, max, stable_window, panic_window, .. } = self.scaling;
        let target = self.scaling.target.max(f64::MIN_POSITIVE);
        let needed = self.average(now, stable_window) / target;
        let urgent = whole(self.average(now, panic_window) / target);
        let there = ready.max(1);
        let stable = whole(needed).clamp(there / DOWN_RATE_MAX, there.saturating_mul(UP_RATE_MAX));
        if urgent >= there.saturating_mul(PANIC_RATIO) {
            let workers = urgent.min(there.saturating_mul(UP_RATE_MAX));
            let before = self.panic.map_or(0, |panic| panic.workers);
            self.panic = Some(Panic { last: now, workers: workers.max(before).max(ready) });
        } else if self.panic.is_some_and(|panic| before(panic.last, now, stable_window)) {
            self.panic = None;
        }
        let wanted = match &mut self.panic {
            Some(panic) => {
                panic.workers = panic.workers.max(stable).max(urgent);
                panic.workers
            }
            None => stable,
        };
        let workers = self.not_too_soon_to_zero(now, ready, wanted).clamp(min, max.max(min).max(1));
        Decision { workers, panicking: self.panic.is_some(), needed }
    }

    /// The last worker stays until nothing was needed for a whole long window and the grace.
    fn not_too_soon_to_zero(&mut self, now: Instant, ready: usize, wanted: usize) -> usize {
        let Scaling { stable_window, idle_grace, .. } = self.scaling;
        if self.average(now, stable_window) > 0.0 {
            self.idle_since = None;
            return wanted.max(1);
        }
        if self.begun.is_none_or(|begun| !before(begun, now, stable_window)) {
            return wanted.max(ready.min(1));
        }
        let since = *self.idle_since.get_or_insert(now);
        if before(since, now, idle_grace) { wanted } else { wanted.max(ready.min(1)) }
    }

    /// Over the ticks of the last `window`.
    fn average(&self, now: Instant, window: Duration) -> f64 {
        let within = self.seen.iter().rev().take_while(|(at, _)| !before(*at, now, window));
        let (sum, count) =
            within.fold((0.0, 0_u32), |(sum, count), (_, one)| (sum + one, count + 1));
        if count == 0 { 0.0 } else { sum / f64::from(count) }
    }
}

/// Whether `at` lies a whole `window` before `now`.
fn before(at: Instant, now: Instant, window: Duration) -> bool {
    now.saturating_duration_since(at) >= window
}

/// Rounded up to whole workers, within what a count can hold.
fn whole(workers: f64) -> usize {
    // What was averaged may be off by the last digit; a float that is too large becomes the largest
    // count.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate")]
    let whole = (workers - 1e-9).ceil() as usize;
    whole
}

/// When the short window asks for so many times the workers there are, the scaler panics.
const PANIC_RATIO: usize = 2;
/// At most so many times the workers there are, in one step.
const UP_RATE_MAX: usize = 1000;
/// At most down to this part of the workers there are, in one step.
const DOWN_RATE_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KPA: Scaling = Scaling {
        min: 0,
        max: 10,
        target: 10.0,
        tick: Duration::from_secs(2),
        stable_window: Duration::from_secs(60),
        panic_window: Duration::from_secs(6),
        idle_grace: Duration::from_secs(30),
    };

    /// Ticks with these concurrencies; workers come and go as it decides. Gives every decision.
    fn run(scaling: Scaling, ready: usize, load: impl IntoIterator<Item = f64>) -> Vec<Decision> {
        let (mut scaler, mut now, mut ready) = (Autoscaler::new(scaling), Instant::now(), ready);
        let step = |concurrency| {
            now += scaling.tick;
            scaler.record(now, concurrency);
            let decision = scaler.decide(now, ready);
            ready = decision.workers;
            decision
        };
        load.into_iter().map(step).collect()
    }

    fn workers(decisions: &[Decision]) -> Vec<usize> {
        decisions.iter().map(|decision| decision.workers).collect()
    }

    #[test]
    fn a_steady_load_gets_what_it_needs_at_the_target() {
        assert_eq!(run(KPA, 1, [35.0; 60]).last().map(|last| last.workers), Some(4));
        assert_eq!(run(KPA, 1, [9.0; 60]).last().map(|last| last.workers), Some(1));
    }

    #[test]
    fn a_burst_is_followed_at_once_and_not_let_go_within_a_long_window() {
        let load = [vec![5.0; 30], vec![80.0; 3], vec![5.0; 60]].concat();
        let decided = run(KPA, 1, load);
        assert!(decided[31].workers >= 4 && decided[31].panicking, "{:?}", decided[31]);
        let peak = decided[30..33].iter().map(|one| one.workers).max();
        assert_eq!(decided[33..60].iter().map(|one| one.workers).min(), peak);
        let last = decided.last();
        assert_eq!(last.map(|last| (last.workers, last.panicking)), Some((1, false)));
    }

    #[test]
    fn nobody_asking_for_a_long_window_and_the_grace_ends_the_last_worker() {
        let decided = run(KPA, 1, [vec![3.0; 5], vec![0.0; 60]].concat());
        let zero = decided.iter().position(|decision| decision.workers == 0);
        // Five busy ticks; 60 s until the long window has forgotten them; 30 s of grace.
        assert_eq!(zero, Some(5 + 29 + 15));
        assert!(workers(&decided)[49..].iter().all(|&workers| workers == 0));
    }

    #[test]
    fn what_has_just_begun_is_not_idle() {
        assert_eq!(workers(&run(KPA, 1, [0.0; 10])), [1; 10]);
    }

    #[test]
    fn many_workers_go_by_halves() {
        let decided = run(KPA, 8, [0.0; 4]);
        assert_eq!(workers(&decided), [4, 2, 1, 1]);
    }

    prop_compose! {
        fn any_scaling()(
            min in 0_usize..4, more in 0_usize..8, target in 0.5_f64..50.0,
            stable in 2_u64..40, panic in 1_u64..4, grace in 0_u64..20,
        ) -> Scaling {
            Scaling {
                min, max: (min + more).max(1), target,
                tick: Duration::from_secs(1),
                stable_window: Duration::from_secs(stable.max(panic)),
                panic_window: Duration::from_secs(panic),
                idle_grace: Duration::from_secs(grace),
            }
        }
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(
            scaling in any_scaling(), ready in 0_usize..20,
            load in prop::collection::vec(-5.0_f64..1e9, 1..120),
        ) {
            for decision in run(scaling, ready, load) {
                prop_assert!((scaling.min..=scaling.max).contains(&decision.workers));
            }
        }

        #[test]
        fn in_panic_no_worker_is_taken_away(
            scaling in any_scaling(), load in prop::collection::vec(0.0_f64..500.0, 2..200),
        ) {
            let decided = run(scaling, scaling.min, load);
            for pair in decided.windows(2) {
                let [before, after] = [pair[0], pair[1]];
                prop_assert!(!(before.panicking && after.panicking) || after.workers >= before.workers);
            }
        }

        #[test]
        fn a_steady_load_is_met_exactly(scaling in any_scaling(), load in 0.1_f64..400.0) {
            let decided = run(scaling, 1, vec![load; 400]);
            let exact = whole(load / scaling.target).clamp(scaling.min.max(1), scaling.max);
            prop_assert_eq!(decided.last().map(|last| last.workers), Some(exact));
        }

        #[test]
        fn work_that_is_there_keeps_a_worker(
            scaling in any_scaling(), load in prop::collection::vec(0.01_f64..0.2, 1..100),
        ) {
            prop_assert!(run(scaling, 1, load).iter().all(|decision| decision.workers >= 1));
        }
    }
}
