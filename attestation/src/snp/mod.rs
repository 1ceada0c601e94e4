//! AMD SEV-SNP: an attestation report, signed by the chip's VCEK, under ASK and ARK.
//!
//! "SEV Secure Nested Paging Firmware ABI Specification" (AMD 56860), chapter 7; "Versioned Chip
//! Endorsement Key (VCEK) Certificate and KDS Interface Specification" (AMD 57230).

mod pss;
mod report;
mod tcb;
#[cfg(test)]
mod tests;

use sealgate_keys::Base64;
use serde::Deserialize;
use x509_cert::der::oid::ObjectIdentifier;

use self::report::Report;
use self::tcb::{Layout, MinTcb, Tcb};
use crate::case::Case;
use crate::chain::{self, Algorithms, Leaf};
use crate::check::Check;
use crate::measurements::{Hex, Reference as AnyReference};
use crate::{Kind, Refusal, Verdict};

/// Reference values: what a guest must look like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// The launch measurement.
    measurement: Hex<48>,
    /// The oldest firmware.
    min_tcb: MinTcb,
    /// The least privileged level (the highest number) that may have asked for the report.
    #[serde(default)]
    vmpl_max: u32,
}

/// Who vouches for VCEKs.
pub(crate) struct Roots<'a> {
    /// Fingerprints of root certificates, and how the chips under each write their TCB.
    known: &'a [(&'a str, Layout)],
    algorithms: Algorithms<'a>,
}

/// AMD's roots: Milan, Genoa (with Bergamo and Siena) and Turin.
pub(crate) const AMD: Roots<'static> = Roots {
    known: &[
        ("69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd", Layout::Milan),
        ("4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1", Layout::Milan),
        ("1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a", Layout::Turin),
    ],
    algorithms: pss::ALGORITHMS,
};

pub(crate) fn judge(
    report: &[u8],
    certificates: &[Base64],
    roots: &Roots<'_>,
    case: &Case<'_>,
) -> Result<Verdict, Refusal> {
    let mut checks = case.open(Kind::SevSnp)?;
    let report = Report::parse(report).ok_or(Refusal::Malformed)?;

    let chain = verify_chain(certificates, roots, case.now_s);
    let (vcek, layout) = checks.note(&[Check::ChainValid], chain)?;
    let signed = vcek.verify_p384(report.signed, &report.signature);
    checks.note(&[Check::SignatureValid], signed)?;
    let tcb = Tcb::of_report(report.reported_tcb, layout);
    let fits = Tcb::of_vcek(&vcek, layout).as_ref() == Some(&tcb) && chip_fits(&vcek, &report);
    checks.demand(Check::CertificateFitsReport, fits, Refusal::ChainInvalid)?;

    checks.demand(Check::DebugOff, !report.host_may_look_inside(), Refusal::DebugMode)?;
    let known = case.known(AnyReference::sev_snp, |like| {
        like.measurement.0 == *report.measurement && report.vmpl <= like.vmpl_max
    });
    let known = checks.note(&[Check::MeasurementKnown], known)?;
    let accepted = known.iter().find(|known| tcb.at_least(&known.reference.min_tcb));
    let too_old = || Refusal::TcbTooOld { status: tcb.to_string() };
    let known = checks.note(&[Check::TcbAccepted], accepted.ok_or_else(too_old))?;
    checks.note(&[Check::ReportDataBound], case.bound(report.report_data))?;

    Ok(Verdict {
        kind: Kind::SevSnp,
        measurement: Some(known.id()),
        tcb: Some(tcb.to_string()),
        advisories: Vec::new(),
        checks: checks.finish(&DEMANDED)?,
        valid_until_s: vcek.valid_until_s.min(known.valid_until_s),
    })
}

fn verify_chain(
    certificates: &[Base64],
    roots: &Roots<'_>,
    now_s: u64,
) -> Result<(Leaf, Layout), Refusal> {
    let (vcek, ask, ark) = match certificates {
        [] => return Err(Refusal::CollateralMissing),
        [vcek, ask, ark] => (&vcek.0, &ask.0, &ark.0),
        _ => return Err(Refusal::ChainInvalid),
    };
    let found = chain::fingerprint(ark);
    let layout = roots
        .known
        .iter()
        .find_map(|(pin, layout)| (*pin == found).then_some(*layout))
        .ok_or(Refusal::ChainInvalid)?;
    let leaf = chain::verify(ark, &[ask], vcek, roots.algorithms, now_s)?;
    Ok((leaf, layout))
}

/// Whether the certificate is of the chip that the report names. Turin's certificates name it by
/// its first bytes, and then the report has zeros behind them.
fn chip_fits(vcek: &Leaf, report: &Report<'_>) -> bool {
    let Some(id) = vcek.extension(HARDWARE_ID).filter(|id| id.len() >= HARDWARE_ID_BYTES_MIN)
    else {
        return false;
    };
    let Some((first, rest)) = report.chip_id.split_at_checked(id.len()) else {
        return false;
    };
    first == id && rest.iter().all(|byte| *byte == 0)
}

const HARDWARE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");
const HARDWARE_ID_BYTES_MIN: usize = 8;

const DEMANDED: [Check; 8] = [
    Check::KindAccepted,
    Check::ChainValid,
    Check::SignatureValid,
    Check::CertificateFitsReport,
    Check::DebugOff,
    Check::MeasurementKnown,
    Check::TcbAccepted,
    Check::ReportDataBound,
];
