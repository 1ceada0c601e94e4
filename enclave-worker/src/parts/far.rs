//! Another part, as the head asks it.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use sealgate_keys::Grant;
use sealgate_keys::link::Link;
use sealgate_model::ModelError;
use sealgate_model::split::{Awaited, Elsewhere};
use zeroize::Zeroizing;

use super::part::VALUE_TOO_LARGE;

/// A part behind its session.
pub(super) struct Far(pub(super) Link<UnixStream>);

impl Elsewhere for Far {
    fn ask(&self, question: &[u8]) -> Result<Awaited, ModelError> {
        let pending = self.0.ask(&Grant::for_part(), question).map_err(lost)?;
        Ok(Box::new(move || {
            let answer = pending.answer(PATIENCE).map_err(lost)?;
            match answer.outcome.code.as_str() {
                "ok" => Ok(Zeroizing::new(answer.message.expose().to_vec())),
                VALUE_TOO_LARGE => Err(ModelError::OutputNotFinite { row: 0 }),
                _ => Err(ModelError::PartLost),
            }
        }))
    }
}

fn lost(error: impl std::fmt::Display) -> ModelError {
    tracing::warn!(%error, "a part of the model did not answer");
    ModelError::PartLost
}

/// As long as any grant is valid.
const PATIENCE: Duration = Duration::from_millis(Grant::VALID_MS_MAX as u64);
