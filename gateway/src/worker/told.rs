//! The life of the workers, told to the record, to operators and to whoever started us.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealgate_audit as audit;
use tokio::sync::mpsc;
use tracing::field::display;

use super::{Identity, WorkerEvent};
use crate::announce::{Announcement, announce};
use crate::journal::Journal;
use crate::metrics::{Metrics, count};

/// Writes the life of the workers into the record and onto stdout, and says of each crash who was
/// there.
pub async fn tell(
    mut events: mpsc::Receiver<WorkerEvent>,
    journal: Arc<Journal>,
    metrics: Arc<Metrics>,
    crashed: impl Fn(Vec<String>) + Send,
) {
    let mut keysets = HashMap::new();
    let mut refused = Repeats::default();
    while let Some(event) = events.recv().await {
        match event {
            WorkerEvent::Started { model, model_digest, identity, facts, stages } => {
                let Identity { number, pid, address } = identity;
                tracing::info!(
                    model,
                    pid,
                    address = address.map(display),
                    engine = facts.engine,
                    evidence = facts.evidence,
                    enforced = facts.enforced,
                    "worker started"
                );
                let keyset_digest = hex::encode(facts.keyset_digest);
                keysets.insert(number, keyset_digest.clone());
                journal.note(&audit::Event::WorkerStarted(audit::WorkerStarted {
                    address: address.map(|address| address.to_string().into()),
                    engine: facts.engine.as_str().into(),
                    evidence: facts.evidence.into(),
                    keyset_digest: keyset_digest.into(),
                    model: model.as_str().into(),
                    model_digest: hex::encode(model_digest).into(),
                    pid: pid.unwrap_or_default(),
                    sandbox: facts.sandbox.iter().cloned().collect(),
                }));
                metrics.workers.started(stages.micros());
                let stages_us = stages.micros().collect();
                announce(&Announcement::WorkerStarted { model: &model, pid, address, stages_us });
            }
            WorkerEvent::Ended { model, identity, why, crashed_under } => {
                let Identity { number, pid, address } = identity;
                metrics.workers.ended(!crashed_under.is_empty());
                let at = address.map(display);
                tracing::warn!(model, pid, address = at, why, "worker ended");
                journal.note(&audit::Event::WorkerEnded(audit::WorkerEnded {
                    address: address.map(|address| address.to_string().into()),
                    keyset_digest: keysets.remove(&number).unwrap_or_default().into(),
                    model: model.as_str().into(),
                    pid: pid.unwrap_or_default(),
                    why: why.as_str().into(),
                }));
                announce(&Announcement::WorkerEnded { model: &model, pid, address, why: &why });
                if !crashed_under.is_empty() {
                    crashed(crashed_under);
                }
            }
            WorkerEvent::Failed { model, model_digest, error } => {
                count(&metrics.workers.failed);
                let why = error.to_string();
                if error.is_refusal()
                    && let Some(count) = refused.count(&model, &why, Instant::now())
                {
                    let refused = audit::WorkerRefused {
                        count,
                        model: model.as_str().into(),
                        model_digest: hex::encode(model_digest).into(),
                        what: "start".into(),
                        why: why.as_str().into(),
                    };
                    // On record before anybody is told.
                    let refused = audit::Event::WorkerRefused(refused);
                    if let Err(error) = journal.append(&refused).wait().await {
                        tracing::error!(%error, "an audit record was lost");
                    }
                }
                tracing::error!(model, why, "worker not started");
                announce(&Announcement::WorkerFailed { model: &model, why: &why });
            }
        }
    }
}

/// What was refused of late. A worker that is refused is started again and again; the record says so
/// when it begins, and how often since when it goes on.
#[derive(Default)]
struct Repeats(HashMap<(String, String), Repeat>);

struct Repeat {
    recorded: Instant,
    since: u32,
}

impl Repeats {
    /// Counts a refusal; says how many there were since the last record, if it is time for one.
    fn count(&mut self, model: &str, why: &str, now: Instant) -> Option<u32> {
        let key = (model.to_owned(), why.to_owned());
        if let Some(repeat) = self.0.get_mut(&key) {
            repeat.since = repeat.since.saturating_add(1);
            let due = now.saturating_duration_since(repeat.recorded) >= REPEAT_EVERY;
            return due.then(|| {
                repeat.recorded = now;
                std::mem::take(&mut repeat.since)
            });
        }
        if self.0.len() >= REASONS_MAX {
            self.0.retain(|_, repeat| now.duration_since(repeat.recorded) < REPEAT_EVERY);
        }
        // With so many reasons in so short a time, more of them say nothing new.
        (self.0.len() < REASONS_MAX).then(|| {
            self.0.insert(key, Repeat { recorded: now, since: 0 });
            1
        })
    }
}

/// How often at most the record says the same of the same model again.
const REPEAT_EVERY: Duration = Duration::from_secs(300);
/// Models and reasons that are remembered.
const REASONS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_recorded_at_once_and_its_repetitions_every_few_minutes() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        let after = |s| begun + Duration::from_secs(s);
        assert_eq!(repeats.count("m", "evidence", begun), Some(1));
        assert_eq!(repeats.count("n", "evidence", begun), Some(1));
        assert_eq!(repeats.count("m", "engine", begun), Some(1));
        for s in 0..30 {
            assert_eq!(repeats.count("m", "evidence", after(s)), None);
        }
        assert_eq!(repeats.count("m", "evidence", after(300)), Some(31));
        assert_eq!(repeats.count("m", "evidence", after(301)), None);
        assert_eq!(repeats.count("m", "evidence", after(600)), Some(2));
    }

    #[test]
    fn however_many_reasons_there_are_records_and_memory_are_bounded() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        let words = (0..1_000).map(|n| repeats.count("m", &n.to_string(), begun));
        assert_eq!(words.flatten().count(), REASONS_MAX);
        assert_eq!(repeats.0.len(), REASONS_MAX);
        assert_eq!(repeats.count("m", "new", begun + REPEAT_EVERY), Some(1));
    }
}
