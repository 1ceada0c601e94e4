//! What was decided of late, for people: R = Ra/Ro over time.

use std::collections::VecDeque;

use serde::Serialize;

/// The last decisions.
#[derive(Default)]
pub(super) struct History(VecDeque<Moment>);

/// One decision.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Moment {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Requests there at once, on average since the one before.
    pub concurrency: f64,
    /// Ra: workers that take requests.
    pub ready: usize,
    /// Ro: workers that the load needs, each loaded as it should be.
    pub needed: f64,
    /// R = Ra/Ro: 1 where just as many are there as the load needs; none where nothing is needed.
    pub ratio: Option<f64>,
    /// Workers that there shall be.
    pub wanted: usize,
    /// Whether the scaler panics.
    pub panicking: bool,
}

impl History {
    pub(super) fn add(&mut self, moment: Moment) {
        self.0.push_back(moment);
        if self.0.len() > MOMENTS {
            self.0.pop_front();
        }
    }

    /// The oldest first.
    pub(super) fn moments(&self) -> Vec<Moment> {
        self.0.iter().copied().collect()
    }
}

/// R = Ra/Ro.
pub(super) fn ratio(ready: usize, needed: f64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "there are never so many")]
    let ready = ready as f64;
    (needed > 0.0).then(|| ready / needed)
}

const MOMENTS: usize = 150;
