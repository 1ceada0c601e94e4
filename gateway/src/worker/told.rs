//! The life of the workers, told to the record, to operators and to whoever started us.

use std::collections::HashMap;
use std::sync::Arc;

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
            WorkerEvent::Failed { model, error } => {
                count(&metrics.workers.failed);
                let why = error.to_string();
                tracing::error!(model, why, "worker not started");
                announce(&Announcement::WorkerFailed { model: &model, why: &why });
            }
        }
    }
}
