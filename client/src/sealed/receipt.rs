//! What must hold of a receipt before its answer is believed.

use sealgate_keys::receipt::{GatewayReceipt, WorkerReceipt, verify};
use sealgate_keys::{Direction, Secret, commit};

use super::{AnswerRefusal, VerifiedKeys};
use crate::{Refusal, Tensor};

/// How far a receipt's time may be from ours, in seconds.
pub const TIME_APART_MAX_S: u64 = 300;

/// Whether a commitment was computed again and found equal. What is not equal is an error, never
/// one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It was, and it is.
    Held,
    /// The body is of a form that this client does not read.
    NotComputable,
}

/// The request and the answer that a receipt must be of.
pub(crate) struct Exchange<'a> {
    pub(crate) keys: &'a VerifiedKeys,
    pub(crate) request_id: &'a str,
    pub(crate) now_s: u64,
}

impl Exchange<'_> {
    /// Verifies the worker's signed line, and that it is of this exchange.
    pub(crate) fn receipt(&self, line: Option<&str>) -> Result<WorkerReceipt, AnswerRefusal> {
        let line = line.ok_or(AnswerRefusal::ReceiptMissing)?;
        let receipt: WorkerReceipt =
            verify(line, self.keys.receipt_key()).map_err(|_| AnswerRefusal::ReceiptSignature)?;
        let model = &self.keys.keyset().model;
        for (holds, refusal) in [
            (
                receipt.keyset_digest == hex::encode(self.keys.digest()),
                AnswerRefusal::ReceiptKeyset,
            ),
            (
                receipt.model_digest == model.digest
                    && receipt.schema_digest == model.schema_digest,
                AnswerRefusal::ReceiptModel,
            ),
            (receipt.mode == "client-sealed", AnswerRefusal::ReceiptMode),
            (receipt.request_id == self.request_id, AnswerRefusal::ReceiptRequest),
            (receipt.time_s.abs_diff(self.now_s) <= TIME_APART_MAX_S, AnswerRefusal::ReceiptTime),
        ] {
            if !holds {
                return Err(refusal);
            }
        }
        Ok(receipt)
    }
}

/// Compares what a receipt commits to with what was sent and what came.
pub(crate) fn commitments(
    receipt: &WorkerReceipt,
    key: &Secret,
    request: (&[u8], Option<&[u8]>),
    answer: (&[u8], Option<&[u8]>),
) -> Result<[Checked; 2], AnswerRefusal> {
    let (Some(input), Some(output)) = (&receipt.input_commitment, &receipt.output_commitment)
    else {
        return Err(AnswerRefusal::CommitmentMissing);
    };
    let check = |tensor: Option<Tensor>, direction, claimed: &str, refusal| match tensor {
        None => Ok(Checked::NotComputable),
        Some(tensor) if hex::encode(commit(key, direction, &[tensor.committed()])) == claimed => {
            Ok(Checked::Held)
        }
        Some(_) => Err(refusal),
    };
    let input = check(
        Tensor::of_request(request),
        Direction::Input,
        input,
        AnswerRefusal::InputCommitment,
    )?;
    let output = check(
        Tensor::of_answer(answer),
        Direction::Output,
        output,
        AnswerRefusal::OutputCommitment,
    )?;
    Ok([input, output])
}

/// Verifies the receipt that came with a gateway's refusal, if there is one, under a pinned key.
pub(crate) fn of_refusal(refusal: &Refusal, pinned: &[u8; 32]) -> Result<(), AnswerRefusal> {
    let Some(line) = &refusal.receipt else { return Ok(()) };
    let receipt: GatewayReceipt =
        verify(line, pinned).map_err(|_| AnswerRefusal::GatewayReceipt)?;
    let same = receipt.status == refusal.status.as_u16()
        && Some(&receipt.code) == refusal.code.as_ref()
        && Some(&receipt.request_id) == refusal.request_id.as_ref();
    if same { Ok(()) } else { Err(AnswerRefusal::GatewayReceipt) }
}
