//! A part's whole work: open what the head asks, compute, seal.

use std::time::{Duration, Instant};

use sealgate_keys::control::refused;
use sealgate_keys::{Action, Cleartext, Grant, KeyError, Mode, Outcome};
use sealgate_model::ModelError;
use sealgate_model::split::RunningPart;

use crate::opener::RequestOpener;
use crate::pipeline::{Arrived, Unopened};

/// The sealed answer to a question of the head's, or why it was not opened.
pub(crate) fn answer(
    opener: &RequestOpener,
    part: &RunningPart,
    question: Arrived,
) -> Result<Vec<u8>, Unopened> {
    let started = Instant::now();
    let opened = opener.open(&question.header, question.payload, started)?;
    if opened.grant().mode != Mode::GatewaySealed || opened.grant().action != Action::Infer {
        return Err(Unopened(refused::ENVELOPE));
    }
    let answered = opened.map(|_, question: Cleartext| part.answer(question.expose()));
    let outcome = |status, code: &str| Outcome {
        status,
        code: code.to_owned(),
        rows: 0,
        model_digest: *part.digest().as_bytes(),
        model_version: String::new(),
        queue_us: 0,
        open_us: 0,
        infer_us: micros(started.elapsed()),
        // The head's own time has it.
        busy_us: 0,
        receipt_digest: None,
    };
    let sealed = match answered {
        Ok(values) => values
            .seal(|_: &Grant, values| Ok((outcome(200, "ok"), Cleartext::new(values.to_vec())))),
        Err(failed) => failed.seal(|_, error| {
            let (status, code) = match error {
                ModelError::ValueNotFinite { .. } | ModelError::OutputNotFinite { .. } => {
                    (422, VALUE_TOO_LARGE)
                }
                _ => (500, "failed"),
            };
            Ok((outcome(status, code), Cleartext::new(Vec::new())))
        }),
    };
    sealed.map_err(|_: KeyError| Unopened(refused::ENVELOPE))
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// What the network made of a row is no number.
pub(super) const VALUE_TOO_LARGE: &str = "value_too_large";
