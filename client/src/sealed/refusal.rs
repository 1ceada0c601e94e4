use sealgate_attestation::Refusal as EvidenceRefusal;

/// Why keys were not trusted. Nothing was sealed to them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysRefusal {
    /// What came is not a keyset with its evidence.
    #[error("the attestation is malformed")]
    Malformed,
    /// The digest named is not that of the keyset shown.
    #[error("the keyset is not the one its digest names")]
    KeysetDigest,
    /// Our nonce does not lead to what the evidence answers.
    #[error("the evidence does not answer this client's nonce")]
    Nonce,
    /// The evidence does not hold, or is for somebody else.
    #[error("the evidence is refused")]
    Evidence(#[source] EvidenceRefusal),
    /// The key list is not the keyset's: an entry was stripped, added or changed.
    #[error("the key list is not the one that the keyset names")]
    KeyListDigest,
    /// The keys' time is over.
    #[error("the keys ended at {not_after_s}")]
    Expired {
        /// When, in seconds since 1970.
        not_after_s: u64,
    },
    /// The keys of another model.
    #[error("the keys are those of model `{found}`, asked for was `{asked}`")]
    Model {
        /// What the client asked for.
        asked: String,
        /// What was shown.
        found: String,
    },
    /// The model is not the pinned one.
    #[error("the model's digest is {found}, pinned is {pinned}")]
    ModelDigest {
        /// What the client pinned, in hex.
        pinned: String,
        /// What was shown, in hex.
        found: String,
    },
    /// The worker does not say that its sandbox holds.
    #[error("the worker's sandbox is not enforced")]
    SandboxNotEnforced,
    /// The list has no key of the mechanism that the client demands.
    #[error("there is no key of the mechanism that is demanded")]
    KemFloor,
    /// The gateway shows another receipt key than the pinned one.
    #[error("the gateway's receipt key is not the pinned one")]
    GatewayReceiptKey,
}

impl KeysRefusal {
    /// The refusal's stable name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "attestation_malformed",
            Self::KeysetDigest => "keyset_digest",
            Self::Nonce => "nonce",
            Self::Evidence(refusal) => refusal.code(),
            Self::KeyListDigest => "key_list_digest",
            Self::Expired { .. } => "keys_expired",
            Self::Model { .. } => "other_model",
            Self::ModelDigest { .. } => "model_digest",
            Self::SandboxNotEnforced => "sandbox_not_enforced",
            Self::KemFloor => "kem_floor",
            Self::GatewayReceiptKey => "gateway_receipt_key",
        }
    }
}

/// Why an answer was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRefusal {
    /// A success that is no sealed answer: plaintext, or another status than 200.
    #[error("it is not sealed")]
    NotSealed,
    /// It does not open: cut, changed, or the answer to another request.
    #[error("it does not open")]
    NotOpened,
    /// What was sealed is no padded binary HTTP response.
    #[error("what was sealed is malformed")]
    Malformed,
    /// The gateway's request id is missing.
    #[error("it has no request id")]
    RequestIdMissing,
    /// No receipt inside.
    #[error("it has no receipt")]
    ReceiptMissing,
    /// The receipt is not signed by the key that the keyset names.
    #[error("its receipt is not signed by the worker's receipt key")]
    ReceiptSignature,
    /// The receipt is of another keyset.
    #[error("its receipt names another keyset")]
    ReceiptKeyset,
    /// The receipt is of another model or schema.
    #[error("its receipt names another model")]
    ReceiptModel,
    /// The receipt is of another mode.
    #[error("its receipt names another mode")]
    ReceiptMode,
    /// The receipt is of another request.
    #[error("its receipt names another request")]
    ReceiptRequest,
    /// The receipt's time is far from ours.
    #[error("its receipt's time is more than five minutes from now")]
    ReceiptTime,
    /// The receipt's code is not that of the answer.
    #[error("its receipt names another outcome")]
    ReceiptOutcome,
    /// A score without commitments.
    #[error("its receipt commits to no rows and scores")]
    CommitmentMissing,
    /// The rows committed to are not those that were sent.
    #[error("its receipt commits to other rows than were sent")]
    InputCommitment,
    /// The scores committed to are not those that came.
    #[error("its receipt commits to other scores than came")]
    OutputCommitment,
    /// The receipt of the gateway's refusal is not by the pinned key, or of another refusal.
    #[error("the receipt of the gateway's refusal does not hold")]
    GatewayReceipt,
}
