//! Requests that were allowed and of which the log does not say how they ended.

use crate::event::{DECISION, OUTCOME, STARTED};
use crate::head::Head;
use crate::request::RequestId;
use std::collections::HashMap;

/// Pairs decisions with outcomes. Holds what is in flight, not the log.
#[derive(Default)]
pub(super) struct Requests {
    open: HashMap<RequestId, u64>,
    lost: Unended,
}

/// Allowed requests without an outcome.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unended {
    /// How many.
    pub count: u64,
    /// The numbers of the first decisions among them; at most 10.
    pub first: Vec<u64>,
}

impl Requests {
    pub(super) fn see(&mut self, head: &Head<'_>) {
        match head.kind {
            DECISION if head.allows_work() => {
                if let Some(id) = head.request_id() {
                    self.open.insert(id, head.n);
                }
            }
            OUTCOME => {
                if let Some(id) = head.request_id() {
                    self.open.remove(&id);
                }
            }
            // The gateway before this one has taken them with it.
            STARTED => self.give_up(),
            _ => {}
        }
    }

    /// Those that will never end. Of the others, a gateway that is running may still tell.
    pub(super) fn end(mut self, live: bool) -> Unended {
        if !live {
            self.give_up();
        }
        self.lost
    }

    fn give_up(&mut self) {
        let mut numbers: Vec<_> = self.open.drain().map(|(_, n)| n).collect();
        numbers.sort_unstable();
        self.lost.count += numbers.len() as u64;
        let room = FIRST_MAX.saturating_sub(self.lost.first.len());
        self.lost.first.extend(numbers.into_iter().take(room));
    }
}

const FIRST_MAX: usize = 10;
