//! Checks that held. A check gets into the list only by holding, and a kind's list is a verdict
//! only when it is whole: what was skipped cannot count as passed.

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// A check that was made and held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The judge accepts evidence of this kind.
    KindAccepted,
    /// The signing key is pinned in the judge's own configuration.
    KeyPinned,
    /// The collateral is there, by the vendor, and valid now.
    CollateralValid,
    /// The certificates lead to the vendor's pinned root, and each is valid now.
    ChainValid,
    /// Neither a certificate nor the platform is on the vendor's revocation lists.
    NotRevoked,
    /// The leaf certificate is of the chip and the firmware that the report names.
    CertificateFitsReport,
    /// The evidence is signed by the key that the checks above vouch for.
    SignatureValid,
    /// Neither too old nor from the future.
    EvidenceFresh,
    /// The host may not look inside.
    DebugOff,
    /// A measurement entry that counts now is like this worker.
    MeasurementKnown,
    /// The platform's firmware is as new as the entry demands.
    TcbAccepted,
    /// Bound to this judge's purpose and nonce, and to this keyset.
    ReportDataBound,
}

/// The checks that have held so far.
#[derive(Default)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    /// Notes `checks` if `outcome` is good, and hands on what it found.
    pub(crate) fn note<T>(
        &mut self,
        checks: &[Check],
        outcome: Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let found = outcome?;
        self.0.extend_from_slice(checks);
        Ok(found)
    }

    /// Notes `check` if its condition holds.
    pub(crate) fn demand(
        &mut self,
        check: Check,
        holds: bool,
        otherwise: Refusal,
    ) -> Result<(), Refusal> {
        self.note(&[check], if holds { Ok(()) } else { Err(otherwise) })
    }

    /// The list, if it is exactly what the kind demands.
    pub(crate) fn finish(self, demanded: &[Check]) -> Result<Vec<Check>, Refusal> {
        let whole = self.0.len() == demanded.len() && demanded.iter().all(|c| self.0.contains(c));
        if whole { Ok(self.0) } else { Err(Refusal::CheckSkipped) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMANDED: &[Check] = &[Check::ChainValid, Check::SignatureValid];

    #[test]
    fn a_skipped_check_is_a_refusal() {
        let mut checks = Checks::default();
        assert!(checks.demand(Check::ChainValid, true, Refusal::ChainInvalid).is_ok());
        assert_eq!(checks.finish(DEMANDED), Err(Refusal::CheckSkipped));
    }

    #[test]
    fn a_check_that_did_not_hold_is_not_noted() {
        let mut checks = Checks::default();
        assert!(checks.demand(Check::ChainValid, true, Refusal::ChainInvalid).is_ok());
        let failed = checks.demand(Check::SignatureValid, false, Refusal::SignatureInvalid);
        assert_eq!(failed, Err(Refusal::SignatureInvalid));
        assert_eq!(checks.finish(DEMANDED), Err(Refusal::CheckSkipped));
    }

    #[test]
    fn one_check_noted_twice_does_not_stand_for_two() {
        let mut checks = Checks::default();
        for _ in DEMANDED {
            assert!(checks.demand(Check::ChainValid, true, Refusal::ChainInvalid).is_ok());
        }
        assert_eq!(checks.finish(DEMANDED), Err(Refusal::CheckSkipped));
    }
}
