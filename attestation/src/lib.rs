//! How to judge a worker's evidence.
//!
//! Whoever is about to trust a worker (the gateway before it opens a session, a client before it
//! seals) computes what the evidence must be bound to, says what it accepts, and calls [`judge`].
//! A [`Verdict`] is the proof that every check of the evidence's kind was made and held; anything
//! else is a [`Refusal`] with a stable code. Nothing here reads a clock, a file or the network:
//! time, bytes and configuration come in as parameters.
//!
//! ```
//! use sealgate_attestation::{Claims, Kind, Refusal, Trust, judge};
//! use sealgate_keys::evidence::{Evidence, Purpose, report_data};
//!
//! let expected = report_data(Purpose::Client, &[1; 32], &[2; 32]);
//! let trust = Trust { accept: vec![Kind::SevSnp], ..Trust::default() };
//! let claims = Claims { build: "sealgate-worker 0.1.0", build_digest: None };
//! let refusal = judge(&Evidence::None {}, &expected, &trust, &claims, 1_795_000_000);
//! assert_eq!(refusal.unwrap_err().code(), Refusal::EvidenceMissing.code());
//! ```
//!
//! # What each kind proves
//!
//! | kind | signed by | proves | does not |
//! |---|---|---|---|
//! | `software` | an operator's pinned Ed25519 key | whoever holds the key let this worker use it | anything about hardware; build and build digest are the worker's own words |
//! | `sev-snp` | AMD's key of this chip and firmware (VCEK) | the measured image runs in an SNP guest without debugging or a migration agent, on firmware not older than demanded | that AMD has not revoked the chip's certificates: no revocation list travels with the evidence |
//! | `tdx` | Intel's quoting enclave | the measured image runs in a trust domain without debugging; certificates and platform are checked against Intel's revocation lists and TCB levels | that the collateral is the newest, only that it has not expired |
//! | `nitro` | the AWS hypervisor | the measured enclave runs without debugging | anything against AWS; no revocation list |
//!
//! # What is tested on what
//!
//! No worker has run in a TEE where these tests ran. Certificates, signatures, fields, TCB and
//! time are tested on samples that the vendors' hardware made, at a clock inside their validity
//! and outside it: an SNP report of Milan (of Turin there is a certificate chain and no report),
//! two TDX quotes with collateral, a Nitro document. These samples carry somebody else's report data,
//! and the Nitro one carries none. That evidence binds **our** keyset, purpose and nonce is tested
//! on synthetic evidence: all of software, and SNP and Nitro under chains made by the test. The
//! TDX binding is tested only against the samples' own report data.
//!
//! # Adding a kind
//!
//! A module with what to match (`Reference`) and a `judge`, a variant of [`Kind`], an arm in
//! [`judge`] and one in `measurements/entry.rs`.

mod case;
mod chain;
mod check;
mod kind;
mod measurements;
mod nitro;
mod refusal;
mod snp;
mod software;
#[cfg(test)]
mod synthetic;
mod tdx;
mod trust;
mod verdict;

use sealgate_keys::evidence::Evidence;

use crate::case::Case;
pub use crate::check::Check;
pub use crate::kind::{Kind, UnknownKind};
pub use crate::measurements::{Measurements, MeasurementsError, Mistake, sign};
pub use crate::refusal::Refusal;
pub use crate::trust::{Claims, Trust};
pub use crate::verdict::Verdict;

/// Judges evidence: it must be of an accepted kind, hold in itself at `now_s`, be of a worker that
/// `trust` names, and be bound to `expected`, which is
/// [`report_data`](sealgate_keys::evidence::report_data) of the judge's own purpose and nonce and
/// of the keyset that is to be trusted.
///
/// # Errors
///
/// The first check that did not hold. For Intel's evidence collateral comes before TCB status;
/// for each kind the binding comes last, so a [`Refusal::ReportDataMismatch`] says that the
/// evidence is good, but for somebody else.
pub fn judge(
    evidence: &Evidence,
    expected: &[u8; 64],
    trust: &Trust,
    claims: &Claims<'_>,
    now_s: u64,
) -> Result<Verdict, Refusal> {
    let case = Case { expected, trust, claims, now_s };
    match evidence {
        Evidence::None {} => Err(Refusal::EvidenceMissing),
        Evidence::Software { issued_at_s, key, signature } => {
            software::judge(*issued_at_s, &key.0, &signature.0, &case)
        }
        Evidence::SevSnp { report, certificates } => {
            snp::judge(&report.0, certificates, &snp::AMD, &case)
        }
        Evidence::Tdx { quote, collateral } => tdx::judge(&quote.0, collateral.as_deref(), &case),
        Evidence::Nitro { document } => nitro::judge(&document.0, &nitro::AWS, &case),
    }
}
