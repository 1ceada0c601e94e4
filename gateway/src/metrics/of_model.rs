//! What is counted of the requests to one model.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sealgate_policies::{Mode, Protocol};

use super::codes::{self, CODES};
use super::{Histogram, count};

/// Counts of one model. All there can be is there from the start.
pub struct OfModel {
    /// By mode, protocol, class and code, in this order.
    ended: Box<[AtomicU64]>,
    /// Rows that were scored.
    pub rows: AtomicU64,
    /// From the verified token to the answer.
    pub whole: Histogram,
    /// By [`Stage`].
    stages: [Histogram; Stage::ALL.len()],
}

/// A part of a request's time that is counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for a thread of its worker.
    Queue,
    /// From the gateway to the worker and back.
    Hop,
    /// The model computes.
    Infer,
    /// The answer is there and its record is not durable yet.
    AuditWait,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Who sealed it.
    pub mode: Mode,
    /// In which protocol it came.
    pub protocol: Protocol,
    /// The status of its answer.
    pub status: u16,
    /// A word of [`closed`](super::closed).
    pub code: &'static str,
}

impl Default for OfModel {
    fn default() -> Self {
        let size = MODES.len() * PROTOCOLS.len() * CLASSES.len() * CODES.len();
        Self {
            ended: (0..size).map(|_| AtomicU64::new(0)).collect(),
            rows: AtomicU64::new(0),
            whole: Histogram::default(),
            stages: Default::default(),
        }
    }
}

impl OfModel {
    /// One more that ended so.
    pub fn ended(&self, ended: Ended, time: Duration) {
        let Ended { mode, protocol, status, code } = ended;
        let at = [
            (MODES.iter().position(|&one| one == mode), MODES.len()),
            (PROTOCOLS.iter().position(|&one| one == protocol), PROTOCOLS.len()),
            (Some(class(status)), CLASSES.len()),
            (codes::index(code), CODES.len()),
        ];
        let place = at.iter().try_fold(0, |place, &(index, size)| Some(place * size + index?));
        if let Some(counter) = place.and_then(|place| self.ended.get(place)) {
            count(counter);
        }
        self.whole.observe(time);
    }

    /// A part of one that is over.
    pub fn stage(&self, stage: Stage, time: Duration) {
        if let Some(histogram) = self.stages.get(stage as usize) {
            histogram.observe(time);
        }
    }

    /// What was counted of how they ended: mode, protocol, class, code and how many; only those that
    /// there were.
    pub fn endings(&self) -> impl Iterator<Item = ([&'static str; 4], u64)> + '_ {
        let names = MODES.iter().flat_map(|mode| {
            PROTOCOLS.iter().flat_map(move |protocol| {
                CLASSES.iter().flat_map(move |class| {
                    CODES.iter().map(|code| [mode.as_str(), protocol.as_str(), *class, *code])
                })
            })
        });
        let counted = self.ended.iter().map(|count| count.load(Ordering::Relaxed));
        names.zip(counted).filter(|&(_, count)| count > 0)
    }

    /// Each part's times.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, &Histogram)> {
        Stage::ALL.into_iter().zip(&self.stages)
    }
}

impl Stage {
    /// In the order of the declaration.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Hop, Self::Infer, Self::AuditWait];

    /// Of the stage that an outcome record names so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Its name in outcome records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Hop => "hop",
            Self::Infer => "infer",
            Self::AuditWait => "audit_wait",
        }
    }
}

/// Good, the client's fault, ours.
fn class(status: u16) -> usize {
    match status {
        0..=399 => 0,
        400..=499 => 1,
        _ => 2,
    }
}

const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];
const MODES: [Mode; 2] = [Mode::GatewaySealed, Mode::ClientSealed];
const PROTOCOLS: [Protocol; 5] =
    [Protocol::V2, Protocol::Grpc, Protocol::V1, Protocol::Invocations, Protocol::Ohttp];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_has_a_place_of_its_own() {
        let of = OfModel::default();
        let mut expected = Vec::new();
        for mode in MODES {
            for protocol in PROTOCOLS {
                for (status, class) in [(200, "2xx"), (499, "4xx"), (503, "5xx")] {
                    for code in CODES {
                        of.ended(Ended { mode, protocol, status, code }, Duration::ZERO);
                        expected.push(([mode.as_str(), protocol.as_str(), class, code], 1));
                    }
                }
            }
        }
        assert_eq!(of.endings().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn stages_are_found_by_the_names_of_the_record() {
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.name()), Some(stage));
        }
        assert_eq!(Stage::named("total"), None);
    }
}
