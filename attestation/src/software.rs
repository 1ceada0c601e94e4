//! Software evidence: an operator's pinned key says that this is its worker.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use sealgate_keys::evidence::software_message;
use serde::Deserialize;

use crate::case::Case;
use crate::check::Check;
use crate::measurements::{Hex, Reference as AnyReference};
use crate::{Claims, Kind, Refusal, Verdict};

/// What a worker must say of itself. Self-asserted: no hardware vouches for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// Name and version, as in `sealgate-worker 0.1.0`.
    build: Option<String>,
    /// SHA-256 of the binary.
    build_digest: Option<Hex<32>>,
}

impl Reference {
    /// Whether any worker would be like this.
    pub(crate) const fn is_empty(&self) -> bool {
        self.build.is_none() && self.build_digest.is_none()
    }

    fn like(&self, claims: &Claims<'_>) -> bool {
        let build = self.build.as_deref().is_none_or(|build| build == claims.build);
        let digest = self.build_digest.as_ref();
        build && digest.is_none_or(|digest| claims.build_digest == Some(&digest.0))
    }
}

pub(crate) fn judge(
    issued_at_s: u64,
    key: &[u8],
    signature: &[u8],
    case: &Case<'_>,
) -> Result<Verdict, Refusal> {
    let mut checks = case.open(Kind::Software)?;
    let key: [u8; 32] = key.try_into().map_err(|_| Refusal::Malformed)?;
    let pinned = case.trust.software_keys.contains(&key);
    checks.demand(Check::KeyPinned, pinned, Refusal::KeyNotPinned)?;

    // The signature is over the report data that the judge expects, so it is the binding too.
    let verified = UnparsedPublicKey::new(&ED25519, key)
        .verify(&software_message(case.expected, issued_at_s), signature)
        .map_err(|_| Refusal::SignatureInvalid);
    checks.note(&[Check::SignatureValid, Check::ReportDataBound], verified)?;
    checks.note(&[Check::EvidenceFresh], case.fresh(issued_at_s))?;

    let mut valid_until_s =
        issued_at_s.saturating_add(case.trust.evidence_age_max_s).saturating_add(1);
    let mut measurement = None;
    let mut demanded = ALWAYS.to_vec();
    if case.trust.measurements.is_some() {
        demanded.push(Check::MeasurementKnown);
        let known = case.known(AnyReference::software, |like| like.like(case.claims));
        let known = checks.note(&[Check::MeasurementKnown], known)?;
        if let Some(known) = known.first() {
            measurement = Some(known.id());
            valid_until_s = valid_until_s.min(known.valid_until_s);
        }
    }
    Ok(Verdict {
        kind: Kind::Software,
        measurement,
        tcb: None,
        advisories: Vec::new(),
        checks: checks.finish(&demanded)?,
        valid_until_s,
    })
}

const ALWAYS: [Check; 5] = [
    Check::KindAccepted,
    Check::KeyPinned,
    Check::SignatureValid,
    Check::ReportDataBound,
    Check::EvidenceFresh,
];
