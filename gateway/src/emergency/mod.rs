//! What an admin has stopped at once, whatever the policy folder says.
//!
//! An order holds for every request that begins after it was taken, and over a restart. It only
//! ever takes away: nothing here permits what the policy does not.

mod kept;
mod order;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use sealgate_policies::{Revocation, RevocationOverlay};

use crate::worker::RevokedMeasurements;

pub use kept::EmergencyError;
pub use order::{Order, Standing};

/// The orders in force.
pub struct Emergency {
    file: PathBuf,
    revoked: RevocationOverlay,
    measurements: RevokedMeasurements,
    stopped: ArcSwap<Stopped>,
    /// One order at a time.
    taking: Mutex<()>,
}

/// What is refused beside the callers that are revoked.
#[derive(Clone, Default)]
struct Stopped {
    everything: bool,
    models: BTreeSet<String>,
    measurements: BTreeSet<String>,
}

impl Emergency {
    /// The orders that were in force when the gateway stopped, kept in `file`.
    ///
    /// # Errors
    /// The file is there and cannot be read: what was stopped must not silently go on.
    pub fn open(file: PathBuf, now_s: u64) -> Result<Self, EmergencyError> {
        let (stopped, revoked) = kept::read(&file)?;
        let measurements = RevokedMeasurements::default();
        measurements.set(stopped.measurements.clone());
        let emergency = Self {
            file,
            measurements,
            revoked: RevocationOverlay::default(),
            stopped: ArcSwap::from_pointee(stopped),
            taking: Mutex::new(()),
        };
        emergency.revoked.extend(revoked, now_s).map_err(|_| EmergencyError::TooMany)?;
        Ok(emergency)
    }

    /// Tokens, subjects, clients and keys that no longer count, beside those of the folder.
    #[must_use]
    pub const fn revoked(&self) -> &RevocationOverlay {
        &self.revoked
    }

    /// Whether everybody is refused.
    #[must_use]
    pub fn is_locked_down(&self) -> bool {
        self.stopped.load().everything
    }

    /// Whether everybody is refused this model.
    #[must_use]
    pub fn stops_model(&self, model: &str) -> bool {
        self.stopped.load().models.contains(model)
    }

    /// Whose workers get no session, for who judges them.
    #[must_use]
    pub fn measurements(&self) -> RevokedMeasurements {
        self.measurements.clone()
    }

    /// Puts an order in force, then keeps it. Blocks: not for a runtime's thread.
    ///
    /// # Errors
    /// [`EmergencyError::TooMany`]: it is not in force. [`EmergencyError::NotKept`]: it is, but
    /// will not be after a restart.
    pub fn take(&self, order: &Order, now_s: u64) -> Result<(), EmergencyError> {
        let _one_at_a_time = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stopped = Stopped::clone(&self.stopped.load());
        match order {
            Order::LockDown {} => stopped.everything = true,
            Order::LiftLockDown {} => stopped.everything = false,
            Order::StopModel { model } => insert(&mut stopped.models, model)?,
            Order::ResumeModel { model } => {
                stopped.models.remove(model);
            }
            Order::RevokeMeasurement { measurement } => {
                insert(&mut stopped.measurements, measurement)?;
            }
            Order::RestoreMeasurement { measurement } => {
                stopped.measurements.remove(measurement);
            }
            Order::Revoke { .. } => {
                let revocations: Option<Revocation> = order.revocation();
                let taken = self.revoked.extend(revocations, now_s);
                taken.map_err(|_| EmergencyError::TooMany)?;
            }
            Order::RotateKeys { .. } | Order::EndWorkers { .. } => return Ok(()),
        }
        self.measurements.set(stopped.measurements.clone());
        self.stopped.store(Arc::new(stopped));
        kept::write(&self.file, &self.stopped.load(), &self.revoked.entries(now_s))
    }

    /// The orders in force, for people.
    #[must_use]
    pub fn standing(&self, now_s: u64) -> Standing {
        let stopped = self.stopped.load();
        Standing::new(&stopped, &self.revoked.entries(now_s))
    }
}

fn insert(names: &mut BTreeSet<String>, name: &str) -> Result<(), EmergencyError> {
    if names.len() >= NAMES_MAX {
        return Err(EmergencyError::TooMany);
    }
    names.insert(name.to_owned());
    Ok(())
}

/// Models or measurements that can be stopped at once; more than anybody has.
const NAMES_MAX: usize = 10_000;
