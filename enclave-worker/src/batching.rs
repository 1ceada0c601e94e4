//! Rows of several requests in one pass through the network.
//!
//! A thread that becomes free takes its share of what waits (`queue`), opens each request by
//! itself, scores together what may stand beside each other, and answers each by itself. Nothing
//! waits for company: a lone request is a batch of one, and goes the way it would go anyway.
//!
//! A score is the same to the last bit with and without neighbours
//! ([`Model::infer_together`](sealgate_model::Model::infer_together)), so receipts replay. Whatever
//! goes wrong in a joint pass, up to a panic, is asked again of each request alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use sealgate_keys::Grant;
use sealgate_model::{ModelError, Outputs, Rows};

use crate::opened::Opened;
use crate::pipeline::{Arrived, Asked, Scored, Waiting};
use crate::queue::Share;

/// What an inference thread takes and scores at once.
#[derive(Clone, Copy)]
pub(crate) struct Batching {
    /// Rows of one pass, at most. 1 scores each request by itself.
    pub(crate) rows_max: usize,
    /// Threads that share what waits.
    pub(crate) threads: usize,
}

impl Batching {
    /// How much of the queue a thread takes.
    pub(crate) fn share(self) -> Share<Arrived> {
        Share {
            takers: self.threads,
            items_max: self.rows_max.min(REQUESTS_MAX),
            weight_max: BYTES_MAX,
            weight: |request| request.payload.len(),
        }
    }

    /// Scores together what may be; whatever else is left for each request's own turn.
    pub(crate) fn score(self, waiting: &mut [&mut Waiting], pass: Pass<'_>) {
        if waiting.len() < 2 {
            return;
        }
        let questions = waiting.iter_mut().filter_map(|request| request.question.as_mut().ok());
        let mut questions: Vec<_> = questions.collect();
        Opened::together(&mut questions, |seen| {
            let mut scored: Vec<Option<Scored>> = Vec::new();
            scored.resize_with(seen.len(), || None);
            let candidates = seen.iter().map(|(grant, asked)| candidate(grant, asked));
            for group in self.groups(candidates) {
                for (place, score) in together(seen, &group, pass) {
                    if let Some(slot) = scored.get_mut(place) {
                        *slot = Some(score);
                    }
                }
            }
            scored
        });
    }

    /// Who stands beside whom: places of two or more each, in the order of their arrival.
    fn groups<'a>(
        self,
        candidates: impl Iterator<Item = Option<(Neighbours<'a>, usize)>>,
    ) -> Vec<Vec<usize>> {
        let mut groups: Vec<(Neighbours<'a>, usize, Vec<usize>)> = Vec::new();
        for (place, candidate) in candidates.enumerate() {
            let Some((neighbours, rows)) = candidate else { continue };
            let room = |group: &&mut (Neighbours<'a>, usize, Vec<usize>)| {
                group.0 == neighbours && rows <= self.rows_max.saturating_sub(group.1)
            };
            match groups.iter_mut().find(room) {
                Some((_, taken, places)) => {
                    *taken = taken.saturating_add(rows);
                    places.push(place);
                }
                None => groups.push((neighbours, rows, vec![place])),
            }
        }
        groups.into_iter().map(|(_, _, places)| places).filter(|group| group.len() > 1).collect()
    }
}

/// A pass through the network: what it says to the rows of each request.
pub(crate) type Pass<'a> = &'a dyn Fn(&[&Rows]) -> Vec<Result<Outputs, ModelError>>;

/// Whose rows may stand beside a request's: those of whoever is here equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Neighbours<'a> {
    /// The policy sets no bounds to this model.
    Anyone,
    Tenant(&'a str),
    /// Of one without a tenant.
    Caller(&'a str),
}

impl<'a> Neighbours<'a> {
    fn of(grant: &'a Grant) -> Self {
        if grant.batch_across_tenants {
            Self::Anyone
        } else if grant.tenant.is_empty() {
            Self::Caller(&grant.caller)
        } else {
            Self::Tenant(&grant.tenant)
        }
    }
}

/// Who may stand beside a request, and how many rows it has; nothing if it has none.
fn candidate<'a>(grant: &'a Grant, asked: &Asked) -> Option<(Neighbours<'a>, usize)> {
    asked.rows().map(|rows| (Neighbours::of(grant), rows.count()))
}

/// One joint pass; nothing after a panic, which then happens again to whom it belongs.
fn together(seen: &[(&Grant, &Asked)], group: &[usize], pass: Pass<'_>) -> Vec<(usize, Scored)> {
    let rows = |place: &usize| seen.get(*place).and_then(|(_, asked)| asked.rows());
    let parts: Vec<&Rows> = group.iter().filter_map(rows).collect();
    if parts.len() != group.len() {
        return Vec::new();
    }
    let rows_total: usize = parts.iter().map(|rows| rows.count()).sum();
    let begun = Instant::now();
    let outputs = catch_unwind(AssertUnwindSafe(|| pass(&parts))).unwrap_or_default();
    let took = begun.elapsed();
    let share =
        |rows: &Rows| -> Duration { took.mul_f64(rows.count() as f64 / rows_total.max(1) as f64) };
    let scored = parts.iter().zip(outputs);
    let scored = scored.map(|(rows, outputs)| Scored { outputs, took: share(rows) });
    group.iter().copied().zip(scored).collect()
}

/// Requests that a thread takes at once: beyond this a pass gains nothing, and the first waits for
/// the last to be opened.
const REQUESTS_MAX: usize = 32;

/// Their sealed bytes: a request of many rows gains nothing from company.
const BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_group_is_of_one_tenant_in_order_and_no_larger_than_allowed(
            waiting in prop::collection::vec((0_usize..5, 1_usize..40), 0..40),
            rows_max in 1_usize..60,
        ) {
            let batching = Batching { rows_max, threads: 1 };
            let candidates = waiting.iter().map(|(who, rows)| Some((NEIGHBOURS[*who], *rows)));
            let groups = batching.groups(candidates);
            let mut places: Vec<usize> = groups.concat();
            places.sort_unstable();
            prop_assert!(places.windows(2).all(|two| two[0] < two[1]), "each once at most");
            for group in groups {
                prop_assert!(group.len() > 1);
                prop_assert!(group.windows(2).all(|two| two[0] < two[1]));
                prop_assert!(group.iter().all(|place| waiting[*place].0 == waiting[group[0]].0));
                prop_assert!(group.iter().map(|place| waiting[*place].1).sum::<usize>() <= rows_max);
            }
        }
    }

    #[test]
    fn what_one_tenant_has_waiting_is_one_group_and_a_request_without_rows_is_in_none() {
        let [_, ours, theirs, ..] = NEIGHBOURS;
        let waiting = [Some((ours, 1)), Some((theirs, 1)), None, Some((ours, 2)), Some((ours, 1))];
        let groups = Batching { rows_max: 256, threads: 1 }.groups(waiting.into_iter());
        assert_eq!(groups, [vec![0, 3, 4]]);
    }

    #[test]
    fn whoever_has_no_tenant_stands_beside_himself_alone() {
        let [.., ours, theirs] = NEIGHBOURS;
        assert!(matches!((ours, theirs), (Neighbours::Caller(_), Neighbours::Caller(_))));
        let waiting = [Some((ours, 1)), Some((theirs, 1))];
        assert!(Batching { rows_max: 256, threads: 1 }.groups(waiting.into_iter()).is_empty());
    }

    const NEIGHBOURS: [Neighbours<'_>; 5] = [
        Neighbours::Anyone,
        Neighbours::Tenant("a"),
        Neighbours::Tenant("b"),
        Neighbours::Caller("a"),
        Neighbours::Caller("b"),
    ];
}
