//! What every request needs: callers, models, journal, limits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sealgate_keys::receipt::ReceiptKey;
use tokio::sync::Semaphore;

use crate::callers::Callers;
use crate::config::Config;
use crate::journal::{Journal, now_s};
use crate::limits::Places;
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
    /// Places for requests in flight.
    pub in_flight: Arc<Places>,
    /// Room for bodies, in KiB, over all requests.
    pub body_room_kib: Arc<Semaphore>,
    /// Bytes of a body.
    pub body_bytes_max: usize,
    /// Time for a body.
    pub body_timeout: Duration,
    /// Time for an answer; the life of a grant.
    pub answer_timeout_ms: u32,
}

impl App {
    /// Assembles the state under the configured limits.
    #[must_use]
    pub fn new(
        config: &Config,
        policy: Arc<Policy>,
        callers: Callers,
        journal: Arc<Journal>,
        models: HashMap<String, Served>,
        keyring: Arc<Keyring>,
        receipt_key: ReceiptKey,
    ) -> Self {
        let limits = &config.requests;
        Self {
            receipts: Receipts::new(receipt_key),
            policy,
            callers,
            journal,
            models,
            keyring,
            default_model: config.default_model.clone(),
            in_flight: Places::new(limits.in_flight_max),
            body_room_kib: Arc::new(Semaphore::new(limits.body_bytes_in_flight_max / 1024)),
            body_bytes_max: limits.body_bytes_max,
            body_timeout: Duration::from_millis(limits.body_timeout_ms),
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
