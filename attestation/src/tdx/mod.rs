//! Intel TDX: a quote, with Intel's collateral to judge it by.
//!
//! "Intel TDX DCAP Quoting Library API", appendix 3; the rules of Intel's quote verification
//! library as `dcap-qvl` implements them.

mod collateral;
mod primitives;
mod refusals;

use dcap_qvl::quote::{Quote, Report, TDAttributes, TDReport10};
use dcap_qvl::verify::QuoteVerifier;
use dcap_qvl::{QuoteClaims, QuotePolicy, TcbStatus};
use serde::{Deserialize, Deserializer};

use self::collateral::Collateral;
use self::primitives::AwsLc;
use crate::case::Case;
use crate::check::Check;
use crate::measurements::{Hex, Reference as AnyReference};
use crate::{Kind, Refusal, Verdict};

/// Reference values: what a trust domain must look like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// What the domain was built from.
    mr_td: Hex<48>,
    /// What was measured at run time; registers that are not given may hold anything.
    rtmr0: Option<Hex<48>>,
    rtmr1: Option<Hex<48>>,
    rtmr2: Option<Hex<48>>,
    rtmr3: Option<Hex<48>>,
    /// The statuses that are accepted.
    #[serde(default = "up_to_date", deserialize_with = "not_revoked")]
    tcb_statuses: Vec<TcbStatus>,
}

impl Reference {
    fn like(&self, domain: &TDReport10) -> bool {
        let registers = [
            (&self.rtmr0, &domain.rt_mr0),
            (&self.rtmr1, &domain.rt_mr1),
            (&self.rtmr2, &domain.rt_mr2),
            (&self.rtmr3, &domain.rt_mr3),
        ];
        self.mr_td.0 == domain.mr_td
            && registers.iter().all(|(like, found)| like.is_none_or(|like| like.0 == **found))
    }
}

pub(crate) fn judge(
    quote: &[u8],
    collateral: Option<&str>,
    case: &Case<'_>,
) -> Result<Verdict, Refusal> {
    let mut checks = case.open(Kind::Tdx)?;
    let report = parse(quote)?;
    let domain = report.as_td10().ok_or(Refusal::Malformed)?;
    checks.demand(Check::DebugOff, !host_may_look_inside(domain), Refusal::DebugMode)?;

    let collateral = Collateral::parse(collateral, case.now_s)?;
    let verified = verify(quote, &collateral, case.now_s);
    // From here on the fields that were read above are Intel's word: they are of the same bytes.
    let claims = checks.note(&BY_INTELS_RULES, verified)?;

    let known = case.known(AnyReference::tdx, |like| like.like(domain));
    let known = checks.note(&[Check::MeasurementKnown], known)?;
    let status = claims.tcb.status;
    let accepted = known.iter().find(|known| known.reference.tcb_statuses.contains(&status));
    let too_old = || Refusal::TcbTooOld { status: status.to_string() };
    let known = checks.note(&[Check::TcbAccepted], accepted.ok_or_else(too_old))?;
    checks.note(&[Check::ReportDataBound], case.bound(&domain.report_data))?;

    Ok(Verdict {
        kind: Kind::Tdx,
        measurement: Some(known.id()),
        tcb: Some(status.to_string()),
        advisories: claims.tcb.advisory_ids,
        checks: checks.finish(&DEMANDED)?,
        valid_until_s: claims.earliest_expiration_date.min(known.valid_until_s),
    })
}

fn parse(quote: &[u8]) -> Result<Report, Refusal> {
    if quote.len() > QUOTE_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    Quote::parse(quote).map(|quote| quote.report).map_err(|_| Refusal::Malformed)
}

/// Attributes are the host's choice and no part of `mr_td`. Every bit of the first byte, used or
/// reserved, makes a domain untrusted; migration hands its memory to another domain.
fn host_may_look_inside(domain: &TDReport10) -> bool {
    TDAttributes::parse(domain.td_attributes)
        .map_or(true, |attributes| attributes.tud != 0 || attributes.sec.migratable)
}

fn verify(quote: &[u8], collateral: &Collateral, now_s: u64) -> Result<QuoteClaims, Refusal> {
    let root = collateral.root()?.to_vec();
    // The entry decides which statuses are accepted, after everything else was checked.
    let policy = QuotePolicy::claims_only(now_s);
    QuoteVerifier::<AwsLc>::new_with_config(root)
        .verify_with_policy(quote, collateral.intel.clone(), now_s, &policy)
        .map_err(|error| refusals::name(error.downcast_ref(), &format!("{error:#}")))
}

fn up_to_date() -> Vec<TcbStatus> {
    vec![TcbStatus::UpToDate]
}

/// A revoked platform is refused before any entry is asked, so naming it would be a mistake.
fn not_revoked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TcbStatus>, D::Error> {
    let statuses = Vec::<TcbStatus>::deserialize(deserializer)?;
    if statuses.contains(&TcbStatus::Revoked) {
        return Err(serde::de::Error::custom("`Revoked` cannot be accepted"));
    }
    Ok(statuses)
}

const QUOTE_BYTES_MAX: usize = 64 * 1024;

const BY_INTELS_RULES: [Check; 4] =
    [Check::CollateralValid, Check::ChainValid, Check::NotRevoked, Check::SignatureValid];

const DEMANDED: [Check; 9] = [
    Check::KindAccepted,
    Check::DebugOff,
    Check::CollateralValid,
    Check::ChainValid,
    Check::NotRevoked,
    Check::SignatureValid,
    Check::MeasurementKnown,
    Check::TcbAccepted,
    Check::ReportDataBound,
];
