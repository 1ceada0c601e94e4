//! From the gateway's response to an answer that is believed.

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use sealgate_keys::ohttp::{RESPONSE_TYPE, ResponseOpener};
use sealgate_keys::receipt::WorkerReceipt;
use sealgate_keys::{InnerAnswer, JSON_BYTES_HEADER, RECEIPT_HEADER};

use super::receipt::{Checked, Exchange, commitments};
use super::{AnswerRefusal, ReceiptFile, VerifiedKeys};
use crate::answer::REQUEST_ID;
use crate::body::split;
use crate::gateway::Reply;
use crate::{ClientError, Refusal, Tensor};

/// An answer that the worker sealed for this client, with its receipt. Holds scores: it cannot be
/// printed.
///
/// ```compile_fail
/// fn print(answer: sealgate_client::SealedAnswer) {
///     println!("{answer:?}");
/// }
/// ```
pub struct SealedAnswer {
    /// The gateway's id of the request, as it stands in the audit log.
    pub request_id: String,
    /// The body as the worker wrote it.
    pub body: Bytes,
    /// The receipt, verified.
    pub receipt: WorkerReceipt,
    /// Whether the rows that the receipt commits to are those that were sent.
    pub input: Checked,
    /// Whether the scores that the receipt commits to are those in `body`.
    pub output: Checked,
    /// How much of `body` is JSON, where a tensor follows.
    pub json_bytes: Option<usize>,
    /// What to keep.
    pub file: ReceiptFile,
}

impl SealedAnswer {
    /// The one output, in whichever form it came; none if there is anything else.
    #[must_use]
    pub fn output(&self) -> Option<Tensor> {
        Tensor::of_answer(split(&self.body, self.json_bytes))
    }
}

/// A refusal that the worker sealed for this client, with its receipt.
pub struct SealedRefusal {
    /// The worker's words.
    pub refusal: Refusal,
    /// The receipt, verified.
    pub receipt: WorkerReceipt,
    /// What to keep.
    pub file: ReceiptFile,
}

impl std::fmt::Debug for SealedRefusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("SealedRefusal").field(&self.refusal).finish_non_exhaustive()
    }
}

/// Opens and checks a successful response to what was sealed to `keys`; `request` is the body that
/// was sealed.
pub(crate) fn open(
    reply: &Reply,
    opener: ResponseOpener,
    keys: &VerifiedKeys,
    request: (&[u8], Option<&[u8]>),
    now_s: u64,
) -> Result<SealedAnswer, ClientError> {
    let sealed = reply.header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind == RESPONSE_TYPE);
    if reply.status != StatusCode::OK || !sealed {
        return Err(ClientError::Answer(AnswerRefusal::NotSealed));
    }
    let request_id = reply.header(REQUEST_ID).ok_or(AnswerRefusal::RequestIdMissing)?;
    let opened = opener.open(&reply.body).map_err(|_| AnswerRefusal::NotOpened)?;
    let inner =
        InnerAnswer::decode(opened.message.expose()).map_err(|_| AnswerRefusal::Malformed)?;
    let line = inner.header(RECEIPT_HEADER).map(str::to_owned);
    let receipt = Exchange { keys, request_id, now_s }.receipt(line.as_deref())?;
    let file = ReceiptFile {
        receipt: line.unwrap_or_default(),
        commitment_key: Some(opened.commitment_key),
        shown: Some(keys.shown().clone()),
    };
    if inner.status != 200 {
        return Err(refused(inner, request_id, receipt, file)?);
    }
    if receipt.code != "ok" {
        return Err(AnswerRefusal::ReceiptOutcome.into());
    }
    let json_bytes = inner.header(JSON_BYTES_HEADER).and_then(|bytes| bytes.parse().ok());
    let body = inner.body.into_public();
    let [input, output] = match &file.commitment_key {
        Some(key) => commitments(&receipt, key, request, split(&body, json_bytes))?,
        None => return Err(AnswerRefusal::CommitmentMissing.into()),
    };
    let request_id = request_id.to_owned();
    let body = body.into();
    Ok(SealedAnswer { request_id, body, receipt, input, output, json_bytes, file })
}

fn refused(
    inner: InnerAnswer,
    request_id: &str,
    receipt: WorkerReceipt,
    file: ReceiptFile,
) -> Result<ClientError, AnswerRefusal> {
    let status = StatusCode::from_u16(inner.status).map_err(|_| AnswerRefusal::Malformed)?;
    let (id, line) = (Some(request_id.to_owned()), Some(file.receipt.as_str()));
    let refusal = Refusal::read(status, id, line, inner.body.expose());
    if status.is_success() || refusal.code.as_ref() != Some(&receipt.code) {
        return Err(AnswerRefusal::ReceiptOutcome);
    }
    Ok(ClientError::WorkerRefused(Box::new(SealedRefusal { refusal, receipt, file })))
}

impl From<AnswerRefusal> for ClientError {
    fn from(refusal: AnswerRefusal) -> Self {
        Self::Answer(refusal)
    }
}
