//! One piece of evidence's circumstances: what every kind is judged by.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::check::{Check, Checks};
use crate::measurements::{Entry, Reference};
use crate::{Claims, Kind, Refusal, Trust};

/// How far a worker's clock may be ahead of the judge's.
pub(crate) const LEEWAY_S: u64 = 60;

pub(crate) struct Case<'a> {
    pub(crate) expected: &'a [u8; 64],
    pub(crate) trust: &'a Trust,
    pub(crate) claims: &'a Claims<'a>,
    pub(crate) now_s: u64,
}

impl<'a> Case<'a> {
    /// Begins the list of checks with the first of every kind.
    pub(crate) fn open(&self, kind: Kind) -> Result<Checks, Refusal> {
        let mut checks = Checks::default();
        let accepted = self.trust.accept.contains(&kind);
        checks.demand(Check::KindAccepted, accepted, Refusal::KindNotAccepted)?;
        Ok(checks)
    }

    pub(crate) fn fresh(&self, issued_at_s: u64) -> Result<(), Refusal> {
        if issued_at_s > self.now_s.saturating_add(LEEWAY_S) {
            Err(Refusal::EvidenceFromFuture)
        } else if self.now_s.saturating_sub(issued_at_s) > self.trust.evidence_age_max_s {
            Err(Refusal::EvidenceStale)
        } else {
            Ok(())
        }
    }

    pub(crate) fn bound(&self, found: &[u8]) -> Result<(), Refusal> {
        verify_slices_are_equal(found, self.expected).map_err(|_| Refusal::ReportDataMismatch)
    }

    /// The entries that count now and are like the worker: at least one.
    pub(crate) fn known<R>(
        &self,
        of_kind: impl Fn(&'a Reference) -> Option<&'a R>,
        alike: impl Fn(&R) -> bool,
    ) -> Result<Vec<Known<'a, R>>, Refusal> {
        let measurements = self.trust.measurements.as_ref().ok_or(Refusal::MeasurementUnknown)?;
        let known: Vec<_> = measurements
            .entries()
            .filter_map(|entry| {
                let valid_until_s = measurements.end_of(entry);
                let reference = of_kind(&entry.reference)?;
                let counts = self.now_s < valid_until_s && alike(reference);
                counts.then_some(Known { entry, reference, valid_until_s })
            })
            .collect();
        if known.is_empty() { Err(Refusal::MeasurementUnknown) } else { Ok(known) }
    }
}

/// An entry that the worker is like.
pub(crate) struct Known<'a, R> {
    entry: &'a Entry,
    pub(crate) reference: &'a R,
    pub(crate) valid_until_s: u64,
}

impl<R> Known<'_, R> {
    pub(crate) fn id(&self) -> String {
        self.entry.id.clone()
    }
}
