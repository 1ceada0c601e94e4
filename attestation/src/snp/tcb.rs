//! Firmware versions: in the report, in the VCEK, and as demanded.

use std::fmt;

use serde::Deserialize;
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;

use crate::chain::Leaf;

/// How a generation of chips writes its TCB version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Milan and Genoa: bootloader, TEE, four reserved, SNP, microcode.
    Milan,
    /// Turin: FMC, bootloader, TEE, SNP, three reserved, microcode.
    Turin,
}

/// The versions of what runs below the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tcb {
    fmc: Option<u8>,
    bootloader: u8,
    tee: u8,
    snp: u8,
    microcode: u8,
}

/// The oldest versions that are accepted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MinTcb {
    /// Turin only, and then it must be there to be demanded.
    #[serde(default)]
    fmc: u8,
    bootloader: u8,
    tee: u8,
    snp: u8,
    microcode: u8,
}

impl Tcb {
    pub(super) const fn of_report(bytes: &[u8; 8], layout: Layout) -> Self {
        match (layout, *bytes) {
            (Layout::Milan, [bootloader, tee, _, _, _, _, snp, microcode]) => {
                Self { fmc: None, bootloader, tee, snp, microcode }
            }
            (Layout::Turin, [fmc, bootloader, tee, snp, _, _, _, microcode]) => {
                Self { fmc: Some(fmc), bootloader, tee, snp, microcode }
            }
        }
    }

    /// What the VCEK was derived for: AMD 57230, table "VCEK Certificate Extensions".
    pub(super) fn of_vcek(vcek: &Leaf, layout: Layout) -> Option<Self> {
        let version = |id| u8::from_der(vcek.extension(id)?).ok();
        Some(Self {
            fmc: if layout == Layout::Turin { Some(version(FMC)?) } else { None },
            bootloader: version(BOOTLOADER)?,
            tee: version(TEE)?,
            snp: version(SNP)?,
            microcode: version(MICROCODE)?,
        })
    }

    /// Each version on its own: a newer one does not make up for an older one.
    pub(super) const fn at_least(&self, min: &MinTcb) -> bool {
        let fmc = match self.fmc {
            Some(fmc) => fmc >= min.fmc,
            None => min.fmc == 0,
        };
        fmc && self.bootloader >= min.bootloader
            && self.tee >= min.tee
            && self.snp >= min.snp
            && self.microcode >= min.microcode
    }
}

impl fmt::Display for Tcb {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fmc) = self.fmc {
            write!(out, "fmc {fmc}, ")?;
        }
        let Self { bootloader, tee, snp, microcode, .. } = self;
        write!(out, "bootloader {bootloader}, tee {tee}, snp {snp}, microcode {microcode}")
    }
}

const BOOTLOADER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.1");
const TEE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.2");
const SNP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.3");
const MICROCODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.8");
const FMC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.9");
