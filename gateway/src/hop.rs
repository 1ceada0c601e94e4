//! One request to a worker: the grant that goes with it, and what comes back against that grant.

use std::time::{Duration, Instant};

use sealgate_keys::{Cleartext, Grant, Mode, OpenedAnswer, Outcome, ReleaseProfile};
use sealgate_policies::{Action, ReleaseOutput};

use crate::cost::Used;
use crate::forward::Allowed;
use crate::pool::Pool;
use crate::record::{Account, micros};
use crate::refusal::Refusal;
use crate::routes::Authenticated;
use crate::worker::{Connection, Reached, WorkerError};

/// A worker's answer to one request.
pub struct Answered {
    /// What it answered: binary HTTP, or what it sealed for the client.
    pub message: Cleartext,
    /// What it said of it.
    pub outcome: Outcome,
    hop_us: u32,
    sent_bytes: usize,
}

/// The grant for an allowed request, good until `deadline`; `ciphertext_sha256` makes it one for what a client sealed.
#[must_use]
pub fn grant(
    caller: &Authenticated,
    allowed: &Allowed<'_>,
    connection: &Connection,
    deadline: Instant,
    ciphertext_sha256: Option<[u8; 32]>,
) -> Grant {
    let permit = &allowed.permit;
    let model = connection.model();
    Grant {
        request_id: caller.id.bytes(),
        caller: caller.verified.pseudonym.clone(),
        tenant: permit.tenant().map_or_else(String::new, |tenant| tenant.to_string()),
        model: model.name.clone(),
        version: Some(permit.version().unwrap_or(&model.version).to_owned()),
        action: match permit.action() {
            Action::Infer => sealgate_keys::Action::Infer,
            _ => sealgate_keys::Action::DescribeModel,
        },
        rows_reserved: allowed.rows,
        declared_fields: permit.model().fields().map(<[String]>::to_vec).unwrap_or_default(),
        release: release(permit.release().output()),
        policy_digest: *permit.policy().as_bytes(),
        mode: match ciphertext_sha256 {
            None => Mode::GatewaySealed,
            Some(_) => Mode::ClientSealed,
        },
        ciphertext_sha256,
        valid_ms: left_ms(deadline),
        batch_across_tenants: permit.model().batch_across_tenants(),
    }
}

/// Sends `message` to a worker and waits for its answer, for as long as the grant is valid.
///
/// # Errors
/// What the client is told; the cause goes to the operator's log.
pub async fn ask(
    caller: &Authenticated,
    connection: &Connection,
    grant: &Grant,
    message: Cleartext,
) -> Result<Answered, WorkerError> {
    let (begun, sent_bytes) = (Instant::now(), message.expose().len());
    let patience = Duration::from_millis(grant.valid_ms.into());
    let answer = async { connection.call(grant, message).await?.answer().await };
    let answer = tokio::time::timeout(patience, answer).await;
    let opened = answer.unwrap_or(Err(WorkerError::TooSlow)).inspect_err(|error| {
        tracing::debug!(%error, request_id = caller.id.as_str(), "a call to the worker failed");
    });
    let OpenedAnswer { outcome, message } = opened?;
    // The code goes on record: it must be a code, and no text of a worker's.
    let is_code = (1..=32).contains(&outcome.code.len())
        && outcome.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let agrees = outcome.rows <= grant.rows_reserved
        && outcome.model_digest == connection.model().digest
        && (200..600).contains(&outcome.status)
        && is_code;
    if !agrees {
        tracing::error!(request_id = caller.id.as_str(), "the worker's outcome breaks its grant");
        return Err(WorkerError::Protocol("outcome"));
    }
    Ok(Answered { message, outcome, hop_us: micros(begun.elapsed()), sent_bytes })
}

impl Answered {
    /// What the record says of it.
    #[must_use]
    pub fn account(&self, keyset_digest: Option<[u8; 32]>) -> Account {
        let said = &self.outcome;
        let length_class = class(self.message.expose().len());
        Account {
            code: said.code.clone(),
            status: said.status,
            rows: said.rows,
            length_class,
            model_digest: said.model_digest,
            keyset_digest,
            receipt_digest: said.receipt_digest,
            stages_us: vec![
                ("hop", self.hop_us),
                ("infer", said.infer_us),
                ("open", said.open_us),
                ("queue", said.queue_us),
            ],
            used: Some(Used {
                // It cannot have worked for longer than we waited.
                busy_us: said.busy_us.min(self.hop_us),
                bytes_in: class(self.sent_bytes).unwrap_or_default() as u64,
                bytes_out: length_class.unwrap_or_default() as u64,
            }),
        }
    }
}

/// A length as the record has it: that of the padding. A client's seal lies around the padded
/// message and is shorter than it.
fn class(bytes: usize) -> Option<usize> {
    bytes.checked_ilog2().map(|log| 1 << log)
}

/// What the client is told of a failed call.
#[must_use]
pub fn refusal(pool: &Pool, error: &WorkerError, reached: Option<&Reached>) -> Refusal {
    let retry_after_s = pool.retry_after_s();
    match error {
        WorkerError::Lost => Refusal::WorkerLost,
        WorkerError::NotStarted => Refusal::WorkerUnavailable,
        WorkerError::Busy => Refusal::WorkerBusy { retry_after_s },
        WorkerError::TooSlow => Refusal::WorkerTimeout { retry_after_s },
        WorkerError::Key(exact) => Refusal::OhttpKey(exact),
        WorkerError::CallerShare => {
            let renewed_in = reached.map_or(0, |reached| reached.renewed_in.as_secs());
            let retry_after_s = u32::try_from(renewed_in).unwrap_or(u32::MAX).saturating_add(1);
            Refusal::CallerShare { retry_after_s }
        }
        _ => Refusal::Internal,
    }
}

/// Milliseconds until then, one at least.
fn left_ms(deadline: Instant) -> u32 {
    let left = deadline.saturating_duration_since(Instant::now());
    u32::try_from(left.as_millis()).unwrap_or(u32::MAX).max(1)
}

const fn release(output: ReleaseOutput) -> ReleaseProfile {
    match output {
        ReleaseOutput::Label {} => ReleaseProfile::LabelOnly,
        ReleaseOutput::Buckets { count } => ReleaseProfile::Buckets(count),
        ReleaseOutput::Rounded { digits } => ReleaseProfile::Rounded(digits),
        ReleaseOutput::Full {} => ReleaseProfile::Full,
    }
}
