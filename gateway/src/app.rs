//! What every request needs: callers, models, journal, limits.

use std::collections::HashMap;
use std::sync::Arc;

use sealgate_keys::receipt::ReceiptKey;

use crate::callers::Callers;
use crate::capacity::Capacity;
use crate::config::Config;
use crate::emergency::Emergency;
use crate::journal::{Journal, now_s};
use crate::policy::Policy;
use crate::receipts::Receipts;
use crate::served::Served;
use crate::worker::Keyring;

/// Shared by all requests.
pub struct App {
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Who is asking, remembered.
    pub callers: Callers,
    /// What an admin has stopped.
    pub emergency: Arc<Emergency>,
    /// The record.
    pub journal: Arc<Journal>,
    /// The models that are served, by name.
    pub models: HashMap<String, Served>,
    /// The keys that clients seal to.
    pub keyring: Arc<Keyring>,
    /// What refusals are signed with.
    pub receipts: Receipts,
    /// The model that `/invocations` asks.
    pub default_model: String,
    /// What everybody's requests share.
    pub capacity: Capacity,
    /// What the admin listener's requests share.
    pub admin_capacity: Capacity,
    /// Time for an answer; the life of a grant.
    pub answer_timeout_ms: u32,
}

/// What the state is assembled from.
pub struct Parts {
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Who is asking, remembered.
    pub callers: Callers,
    /// What an admin has stopped.
    pub emergency: Arc<Emergency>,
    /// The record.
    pub journal: Arc<Journal>,
    /// The models that are served, by name.
    pub models: HashMap<String, Served>,
    /// The keys that clients seal to.
    pub keyring: Arc<Keyring>,
    /// What refusals are signed with.
    pub receipt_key: ReceiptKey,
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
            emergency: parts.emergency,
            journal: parts.journal,
            models: parts.models,
            keyring: parts.keyring,
            default_model: config.default_model.clone(),
            capacity: Capacity::new(limits),
            admin_capacity: Capacity::for_admins(limits),
            answer_timeout_ms: limits.answer_timeout_ms,
        }
    }

    /// Whether every model has a worker, the record can be kept and the clock is right.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let clock_is_right = !self.journal.clock_is_behind(now_s());
        clock_is_right && self.journal.is_well() && self.models.values().all(Served::is_ready)
    }
}
