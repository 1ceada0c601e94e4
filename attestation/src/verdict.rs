use serde::Serialize;

use crate::{Check, Kind};

/// The proof that evidence was judged and accepted. Only [`judge`](crate::judge) makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub(crate) kind: Kind,
    pub(crate) measurement: Option<String>,
    pub(crate) tcb: Option<String>,
    pub(crate) advisories: Vec<String>,
    pub(crate) checks: Vec<Check>,
    pub(crate) valid_until_s: u64,
}

impl Verdict {
    /// What kind of evidence it was.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The id of the measurement entry that the worker is like; none only for software evidence
    /// that was judged without measurements.
    #[must_use]
    pub fn measurement(&self) -> Option<&str> {
        self.measurement.as_deref()
    }

    /// The platform's status in the vendor's words (Intel), or its firmware's versions (AMD).
    #[must_use]
    pub fn tcb(&self) -> Option<&str> {
        self.tcb.as_deref()
    }

    /// The vendor's advisories that apply to the platform.
    #[must_use]
    pub fn advisories(&self) -> &[String] {
        &self.advisories
    }

    /// Every check that was made and held, in order.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The first second at which the evidence must be judged again: the earliest end of
    /// certificates, collateral, measurement entry and measurements, and for software evidence its
    /// greatest age.
    #[must_use]
    pub const fn valid_until_s(&self) -> u64 {
        self.valid_until_s
    }
}
