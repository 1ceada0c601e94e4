//! What every request needs: callers, models, journal, limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sealgate_keys::receipt::ReceiptKey;

use crate::callers::Callers;
use crate::capacity::Capacity;
use crate::config::Config;
use crate::cost::Costs;
use crate::edge::{EdgeCounters, TlsIdentity};
use crate::emergency::Emergency;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::pool::Quarantine;
use crate::readiness;
use crate::receipts::Receipts;
use crate::repository::Repository;
use crate::served::Models;
use crate::trace::Tracer;
use crate::worker::Keyring;

/// Shared by all requests.
pub struct App {
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Who is asking, remembered.
    pub callers: Callers,
    /// What everybody has spent.
    pub costs: Arc<Costs>,
    /// What an admin has stopped.
    pub emergency: Arc<Emergency>,
    /// The record.
    pub journal: Arc<Journal>,
    /// The models that are served, by name.
    pub models: Arc<Models>,
    /// Where some of them come from.
    pub repository: Option<Arc<Repository>>,
    /// The keys that clients seal to.
    pub keyring: Arc<Keyring>,
    /// Callers who were there when workers crashed.
    pub quarantine: Arc<Quarantine>,
    /// What refusals are signed with.
    pub receipts: Receipts,
    /// The model that `/invocations` asks.
    pub default_model: String,
    /// What everybody's requests share.
    pub capacity: Capacity,
    /// What the admin listener's requests share.
    pub admin_capacity: Capacity,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What the listeners have seen, by their names.
    pub edges: Vec<(&'static str, Arc<EdgeCounters>)>,
    /// Whom connections are met as.
    pub identity: TlsIdentity,
    /// What takes spans.
    pub tracer: Arc<Tracer>,
    /// Time for an answer; the life of a grant.
    answer_timeout: Duration,
    draining: AtomicBool,
}

/// What the state is assembled from.
pub struct Parts {
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Who is asking, remembered.
    pub callers: Callers,
    /// What everybody has spent.
    pub costs: Arc<Costs>,
    /// What an admin has stopped.
    pub emergency: Arc<Emergency>,
    /// The record.
    pub journal: Arc<Journal>,
    /// The models that are served, by name.
    pub models: Arc<Models>,
    /// Where some of them come from.
    pub repository: Option<Arc<Repository>>,
    /// The keys that clients seal to.
    pub keyring: Arc<Keyring>,
    /// Callers who were there when workers crashed.
    pub quarantine: Arc<Quarantine>,
    /// What refusals are signed with.
    pub receipt_key: ReceiptKey,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What the listeners have seen, by their names.
    pub edges: Vec<(&'static str, Arc<EdgeCounters>)>,
    /// Whom connections are met as.
    pub identity: TlsIdentity,
    /// What takes spans.
    pub tracer: Arc<Tracer>,
}

impl App {
    /// Assembles the state under the configured limits.
    #[must_use]
    pub fn new(config: &Config, parts: Parts) -> Self {
        let limits = &config.requests;
        Self {
            receipts: Receipts::new(parts.receipt_key),
            policy: parts.policy,
            callers: parts.callers,
            costs: parts.costs,
            emergency: parts.emergency,
            journal: parts.journal,
            models: parts.models,
            repository: parts.repository,
            keyring: parts.keyring,
            quarantine: parts.quarantine,
            default_model: config.default_model.clone(),
            capacity: Capacity::new(limits),
            admin_capacity: Capacity::for_admins(limits),
            metrics: parts.metrics,
            edges: parts.edges,
            identity: parts.identity,
            tracer: parts.tracer,
            answer_timeout: Duration::from_millis(limits.answer_timeout_ms.into()),
            draining: AtomicBool::new(false),
        }
    }

    /// Until when a request that has come whole must be answered.
    #[must_use]
    pub fn answer_deadline(&self) -> Instant {
        Instant::now() + self.answer_timeout
    }

    /// Whether requests can be served.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        readiness::is_ready(&readiness::reasons(self))
    }

    /// Says from now on that requests had better go elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it has been told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
