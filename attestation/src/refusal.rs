/// Why evidence was not accepted.
///
/// [`code`](Refusal::code) is stable and may be shown to anybody; the message is for whoever runs
/// the judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The worker showed none.
    #[error("the worker showed no evidence")]
    EvidenceMissing,
    /// Evidence of a kind that this judge does not accept.
    #[error("evidence of this kind is not accepted")]
    KindNotAccepted,
    /// Software evidence by a key that this judge has not pinned.
    #[error("the evidence is signed by a key that is not pinned")]
    KeyNotPinned,
    /// The evidence's own signature does not hold. Software evidence carries no report data of its
    /// own, so there a wrong nonce, keyset or purpose shows as this.
    #[error("the evidence's signature is invalid")]
    SignatureInvalid,
    /// Good evidence, but bound to another nonce, keyset or purpose.
    #[error("the evidence is bound to another nonce, keyset or purpose")]
    ReportDataMismatch,
    /// Older than this judge allows.
    #[error("the evidence is too old")]
    EvidenceStale,
    /// Issued after `now`.
    #[error("the evidence is from the future")]
    EvidenceFromFuture,
    /// The host may look inside: debugging, profiling, or a migration agent.
    #[error("the worker runs in a mode in which its host may look inside")]
    DebugMode,
    /// No entry of the measurements that counts now is like this worker.
    #[error("no measurement entry that counts now is like this worker")]
    MeasurementUnknown,
    /// The certificates do not lead to the vendor's root, or are not those of this evidence.
    #[error("the certificates do not lead from this evidence to the vendor's root")]
    ChainInvalid,
    /// A certificate is not valid at `now`: expired, or not valid yet.
    #[error("a certificate is not valid now")]
    CertificateExpired,
    /// What is needed to judge the evidence did not come with it.
    #[error("the evidence came without the collateral that is needed to judge it")]
    CollateralMissing,
    /// Collateral is not valid at `now`: expired, or not valid yet.
    #[error("the collateral is not valid now")]
    CollateralExpired,
    /// Collateral that cannot be read, is not signed by the vendor, or is of another platform.
    #[error("the collateral is invalid")]
    CollateralInvalid,
    /// The vendor has revoked a certificate or the platform.
    #[error("the vendor has revoked a certificate or the platform")]
    Revoked,
    /// Firmware or microcode older than demanded.
    #[error("the platform's status `{status}` is not accepted")]
    TcbTooOld {
        /// The vendor's word for it, or the versions found.
        status: String,
    },
    /// Not evidence of the kind that it says it is.
    #[error("the evidence is malformed")]
    Malformed,
    /// A check that this kind demands was not made: a defect of the judge, so nothing is accepted.
    #[error("a check was skipped")]
    CheckSkipped,
}

impl Refusal {
    /// The refusal's stable name, for logs, problem bodies and audit records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::EvidenceMissing => "evidence_missing",
            Self::KindNotAccepted => "kind_not_accepted",
            Self::KeyNotPinned => "key_not_pinned",
            Self::SignatureInvalid => "signature_invalid",
            Self::ReportDataMismatch => "report_data_mismatch",
            Self::EvidenceStale => "evidence_stale",
            Self::EvidenceFromFuture => "evidence_from_future",
            Self::DebugMode => "debug_mode",
            Self::MeasurementUnknown => "measurement_unknown",
            Self::ChainInvalid => "chain_invalid",
            Self::CertificateExpired => "certificate_expired",
            Self::CollateralMissing => "collateral_missing",
            Self::CollateralExpired => "collateral_expired",
            Self::CollateralInvalid => "collateral_invalid",
            Self::Revoked => "revoked",
            Self::TcbTooOld { .. } => "tcb_too_old",
            Self::Malformed => "malformed",
            Self::CheckSkipped => "check_skipped",
        }
    }
}
