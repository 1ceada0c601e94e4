//! What was looked at and what was found, as people and as programs read it.

use std::fmt::Display;

use sealgate_attestation::Check;
use sealgate_client::Verdict;
use serde::{Serialize, Serializer};

use crate::error::CliError;
use crate::output;

/// Findings of one command. What was not looked at is a finding, too.
#[derive(Default, Serialize)]
pub(crate) struct Findings {
    /// Whether nothing is wrong.
    well: bool,
    #[serde(serialize_with = "members")]
    facts: Vec<(&'static str, String)>,
    verified: Vec<String>,
    not_verified: Vec<String>,
    self_asserted: Vec<String>,
    wrong: Vec<String>,
}

impl Findings {
    /// What it is about.
    pub(crate) fn fact(&mut self, name: &'static str, value: impl Display) {
        self.facts.push((name, value.to_string()));
    }

    /// Something that was checked and holds.
    pub(crate) fn verified(&mut self, what: impl Display) {
        self.verified.push(what.to_string());
    }

    /// Something that nobody checked here, and why.
    pub(crate) fn not_verified(&mut self, what: impl Display) {
        self.not_verified.push(what.to_string());
    }

    /// Something that rests on the word of who signed it.
    pub(crate) fn self_asserted(&mut self, what: impl Display) {
        self.self_asserted.push(what.to_string());
    }

    /// Something that was checked and does not hold.
    pub(crate) fn wrong(&mut self, what: impl Display) {
        self.wrong.push(what.to_string());
    }

    /// `what` is verified or wrong.
    pub(crate) fn check(&mut self, holds: bool, what: impl Display, otherwise: impl Display) {
        if holds { self.verified(what) } else { self.wrong(otherwise) }
    }

    /// Each check of evidence that was accepted.
    pub(crate) fn verdict(&mut self, verdict: &Verdict) {
        for check in verdict.checks() {
            self.verified(words(*check));
        }
        if let Some(id) = verdict.measurement() {
            self.fact("measured as", id);
        }
        if let Some(tcb) = verdict.tcb() {
            self.fact("platform", tcb);
        }
    }

    /// Whether nothing is wrong.
    pub(crate) const fn well(&self) -> bool {
        self.wrong.is_empty()
    }

    /// Prints all.
    pub(crate) fn print(mut self, json: bool) -> Result<(), CliError> {
        self.well = self.well();
        if json {
            return output::json(&self);
        }
        for (name, value) in &self.facts {
            output::line(format_args!("{name:<14} {value}"))?;
        }
        for (name, lines) in [
            ("verified", &self.verified),
            ("self-asserted", &self.self_asserted),
            ("not verified", &self.not_verified),
            ("wrong", &self.wrong),
        ] {
            for line in lines {
                output::line(format_args!("{name:<14} {line}"))?;
            }
        }
        Ok(())
    }
}

/// As an object, with names that programs like.
fn members<S: Serializer>(
    facts: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(facts.iter().map(|(name, value)| (name.replace(' ', "_"), value)))
}

const fn words(check: Check) -> &'static str {
    match check {
        Check::KindAccepted => "evidence of this kind is accepted",
        Check::KeyPinned => "the operator's key that signed the evidence is pinned",
        Check::CollateralValid => "the vendor's collateral is there and valid",
        Check::ChainValid => "the evidence's certificates lead to the vendor's root",
        Check::NotRevoked => "the vendor has revoked neither certificates nor platform",
        Check::CertificateFitsReport => "the certificate is that of the reporting chip",
        Check::SignatureValid => "the evidence's signature is valid",
        Check::EvidenceFresh => "the evidence is neither too old nor from the future",
        Check::DebugOff => "the host may not look inside",
        Check::MeasurementKnown => "the worker is like an entry of the signed measurements",
        Check::TcbAccepted => "the platform's firmware is as new as demanded",
        Check::ReportDataBound => {
            "the evidence is for a client about to seal, bound to the nonce and to this keyset"
        }
    }
}
