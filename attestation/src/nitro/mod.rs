//! AWS Nitro Enclaves: an attestation document (COSE_Sign1) by the hypervisor.
//!
//! AWS, "Nitro Enclaves Attestation Process"; RFC 9052, section 4.2.

mod document;
#[cfg(test)]
mod tests;

use serde::Deserialize;

use self::document::{Document, Signed};
use crate::case::Case;
use crate::chain::{self, Algorithms, Leaf};
use crate::check::Check;
use crate::measurements::{Hex, Reference as AnyReference};
use crate::{Kind, Refusal, Verdict};

/// Reference values: what an enclave must look like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// The whole image.
    pcr0: Hex<48>,
    /// Kernel and boot ramdisk.
    pcr1: Hex<48>,
    /// What the user put in.
    pcr2: Hex<48>,
}

/// Who vouches for documents.
pub(crate) struct Root<'a> {
    /// The root certificate's fingerprint.
    pin: &'a str,
    algorithms: Algorithms<'a>,
}

/// AWS's one root for all regions of its commercial partition.
pub(crate) const AWS: Root<'static> = Root {
    pin: "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b",
    algorithms: &[webpki::aws_lc_rs::ECDSA_P384_SHA384],
};

pub(crate) fn judge(document: &[u8], root: &Root<'_>, case: &Case<'_>) -> Result<Verdict, Refusal> {
    let mut checks = case.open(Kind::Nitro)?;
    let signed = Signed::parse(document).ok_or(Refusal::Malformed)?;
    let document = Document::parse(signed.payload).ok_or(Refusal::Malformed)?;

    let leaf = verify_chain(&document, root, case.now_s);
    let leaf = checks.note(&[Check::ChainValid], leaf)?;
    let verified = leaf.verify_p384(&signed.message(), signed.signature);
    checks.note(&[Check::SignatureValid], verified)?;
    checks.note(&[Check::EvidenceFresh], case.fresh(document.timestamp_ms / 1000))?;

    checks.demand(Check::DebugOff, !document.debugged(), Refusal::DebugMode)?;
    let known = case.known(AnyReference::nitro, |like| {
        [&like.pcr0, &like.pcr1, &like.pcr2]
            .into_iter()
            .zip(0..)
            .all(|(value, index)| document.pcr(index) == Some(&value.0))
    });
    let known = checks.note(&[Check::MeasurementKnown], known)?;
    let known = known.first().ok_or(Refusal::MeasurementUnknown)?;
    let bound = case.bound(document.user_data.unwrap_or_default());
    checks.note(&[Check::ReportDataBound], bound)?;

    Ok(Verdict {
        kind: Kind::Nitro,
        measurement: Some(known.id()),
        tcb: None,
        advisories: Vec::new(),
        checks: checks.finish(&DEMANDED)?,
        valid_until_s: leaf.valid_until_s.min(known.valid_until_s),
    })
}

/// The bundle begins with the root.
fn verify_chain(document: &Document<'_>, root: &Root<'_>, now_s: u64) -> Result<Leaf, Refusal> {
    let (first, between) = document.bundle.split_first().ok_or(Refusal::CollateralMissing)?;
    if chain::fingerprint(first) != root.pin {
        return Err(Refusal::ChainInvalid);
    }
    chain::verify(first, between, document.certificate, root.algorithms, now_s)
}

const DEMANDED: [Check; 7] = [
    Check::KindAccepted,
    Check::ChainValid,
    Check::SignatureValid,
    Check::EvidenceFresh,
    Check::DebugOff,
    Check::MeasurementKnown,
    Check::ReportDataBound,
];
