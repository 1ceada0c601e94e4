#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use rcgen::CustomExtension;
use sealgate_keys::evidence::{Purpose, report_data};

use super::*;
use crate::Trust;
use crate::synthetic::{CLAIMS, LEAF_ENDS_S, NOW_S, Vendor, trust};

/// An SNP guest under a vendor of the test's own.
struct Guest {
    vendor: Vendor,
    layout: Layout,
    body: Vec<u8>,
}

impl Guest {
    fn new(layout: Layout) -> Self {
        let chip = match layout {
            Layout::Milan => vec![7; 64],
            Layout::Turin => vec![7; 8],
        };
        let mut body = vec![0; 0x2a0];
        body[0] = 3;
        body[0x034] = 1;
        body[0x050..0x090].copy_from_slice(&ours());
        body[0x090..0x0c0].fill(5);
        body[0x180..0x188].copy_from_slice(&match layout {
            Layout::Milan => [3, 1, 0, 0, 0, 0, 8, 209],
            Layout::Turin => [2, 3, 1, 8, 0, 0, 0, 209],
        });
        body[0x1a0..0x1a0 + chip.len()].copy_from_slice(&chip);
        let vendor = Vendor::new(extensions(layout, &chip));
        Self { vendor, layout, body }
    }

    fn judge(&self, trust: &Trust, expected: &[u8; 64]) -> Result<Verdict, Refusal> {
        let Vendor { root, between, leaf, .. } = &self.vendor;
        let certificates = [leaf, between, root].map(|der| Base64(der.clone()));
        let pin = self.vendor.pin();
        let roots = Roots {
            known: &[(&pin, self.layout)],
            algorithms: &[webpki::aws_lc_rs::ECDSA_P384_SHA384],
        };
        let case = Case { expected, trust, claims: &CLAIMS, now_s: NOW_S };
        judge(&self.signed(), &certificates, &roots, &case)
    }

    fn signed(&self) -> Vec<u8> {
        let signature = self.vendor.sign(&self.body);
        let mut report = self.body.clone();
        report.resize(0x4a0, 0);
        for (offset, component) in [(0x2a0, &signature[..48]), (0x2e8, &signature[48..])] {
            for (to, from) in report[offset..].iter_mut().zip(component.iter().rev()) {
                *to = *from;
            }
        }
        report
    }
}

fn extensions(layout: Layout, chip: &[u8]) -> Vec<CustomExtension> {
    let amd = |rest: &[u64], content: Vec<u8>| {
        let oid = [&[1, 3, 6, 1, 4, 1, 3704, 1][..], rest].concat();
        CustomExtension::from_oid_content(&oid, content)
    };
    let mut all = vec![
        amd(&[3, 1], vec![2, 1, 3]),
        amd(&[3, 2], vec![2, 1, 1]),
        amd(&[3, 3], vec![2, 1, 8]),
        amd(&[3, 8], vec![2, 2, 0, 209]),
        amd(&[4], chip.to_vec()),
    ];
    if layout == Layout::Turin {
        all.push(amd(&[3, 9], vec![2, 1, 2]));
    }
    all
}

fn ours() -> [u8; 64] {
    report_data(Purpose::Client, &[1; 32], &[2; 32])
}

fn accepting(min_tcb: &str) -> Trust {
    let measurement = "05".repeat(48);
    trust(Kind::SevSnp, &format!("measurement = \"{measurement}\"\nmin_tcb = {{ {min_tcb} }}"))
}

const MIN: &str = "bootloader = 3, tee = 1, snp = 8, microcode = 209";

#[test]
fn a_guest_that_binds_our_keyset_is_accepted_on_either_layout() {
    for layout in [Layout::Milan, Layout::Turin] {
        let verdict = Guest::new(layout).judge(&accepting(MIN), &ours()).unwrap();
        assert_eq!(verdict.measurement(), Some("ours"));
        assert_eq!(verdict.checks(), DEMANDED);
        assert_eq!(verdict.valid_until_s(), LEAF_ENDS_S + 1);
    }
}

#[test]
fn another_purpose_keyset_or_nonce_is_a_mismatch() {
    let guest = Guest::new(Layout::Milan);
    for expected in [
        report_data(Purpose::Hop, &[1; 32], &[2; 32]),
        report_data(Purpose::Client, &[3; 32], &[2; 32]),
        report_data(Purpose::Client, &[1; 32], &[3; 32]),
    ] {
        let refusal = guest.judge(&accepting(MIN), &expected).unwrap_err();
        assert_eq!(refusal, Refusal::ReportDataMismatch);
    }
}

#[test]
fn a_guest_that_may_be_debugged_or_migrated_is_refused() {
    for policy_bit in [1 << 3, 1 << 2] {
        let mut guest = Guest::new(Layout::Milan);
        guest.body[0x008 + 2] |= policy_bit;
        assert_eq!(guest.judge(&accepting(MIN), &ours()).unwrap_err(), Refusal::DebugMode);
    }
}

#[test]
fn a_report_for_a_less_privileged_level_is_unknown_unless_the_entry_allows_it() {
    let mut guest = Guest::new(Layout::Milan);
    guest.body[0x030] = 1;
    let refusal = guest.judge(&accepting(MIN), &ours()).unwrap_err();
    assert_eq!(refusal, Refusal::MeasurementUnknown);
    let fields =
        format!("measurement = \"{}\"\nmin_tcb = {{ {MIN} }}\nvmpl_max = 1", "05".repeat(48));
    assert!(guest.judge(&trust(Kind::SevSnp, &fields), &ours()).is_ok());
}

#[test]
fn each_version_that_is_too_old_is_refused_though_the_others_are_newer() {
    for min_tcb in [
        "bootloader = 4, tee = 0, snp = 0, microcode = 0",
        "bootloader = 0, tee = 2, snp = 0, microcode = 0",
        "bootloader = 0, tee = 0, snp = 9, microcode = 0",
        "bootloader = 0, tee = 0, snp = 0, microcode = 210",
        "bootloader = 0, tee = 0, snp = 0, microcode = 0, fmc = 3",
    ] {
        for layout in [Layout::Milan, Layout::Turin] {
            let refusal = Guest::new(layout).judge(&accepting(min_tcb), &ours()).unwrap_err();
            assert_eq!(refusal.code(), "tcb_too_old", "{min_tcb}");
        }
    }
}

#[test]
fn a_certificate_for_other_firmware_or_another_chip_does_not_vouch() {
    for (layout, offset) in [
        (Layout::Milan, 0x187),
        (Layout::Milan, 0x1a0),
        (Layout::Turin, 0x180),
        (Layout::Turin, 0x1a9),
    ] {
        let mut guest = Guest::new(layout);
        guest.body[offset] ^= 1;
        let refusal = guest.judge(&accepting(MIN), &ours()).unwrap_err();
        assert_eq!(refusal, Refusal::ChainInvalid, "{offset:#x}");
    }
}

#[test]
fn a_certificate_that_names_a_version_twice_does_not_vouch() {
    let mut guest = Guest::new(Layout::Milan);
    let mut twice = extensions(Layout::Milan, &[7; 64]);
    twice.push(twice[0].clone());
    guest.vendor = Vendor::new(twice);
    let refusal = guest.judge(&accepting(MIN), &ours()).unwrap_err();
    assert_eq!(refusal, Refusal::ChainInvalid);
}

#[test]
fn a_report_signed_by_no_vcek_is_malformed() {
    let mut guest = Guest::new(Layout::Milan);
    guest.body[0x048] = 1 << 2;
    assert_eq!(guest.judge(&accepting(MIN), &ours()).unwrap_err(), Refusal::Malformed);
}

#[test]
fn a_chain_under_another_root_is_refused() {
    let (guest, other) = (Guest::new(Layout::Milan), Guest::new(Layout::Milan));
    let certificates = [&guest.vendor.leaf, &guest.vendor.between, &guest.vendor.root];
    let certificates = certificates.map(|der| Base64(der.clone()));
    let (trust, expected) = (accepting(MIN), ours());
    let case = Case { expected: &expected, trust: &trust, claims: &CLAIMS, now_s: NOW_S };
    for pin in [other.vendor.pin(), AMD.known[0].0.to_owned()] {
        let algorithms: Algorithms<'_> = &[webpki::aws_lc_rs::ECDSA_P384_SHA384];
        let roots = Roots { known: &[(&pin, Layout::Milan)], algorithms };
        let refusal = judge(&guest.signed(), &certificates, &roots, &case).unwrap_err();
        assert_eq!(refusal, Refusal::ChainInvalid);
    }
}
