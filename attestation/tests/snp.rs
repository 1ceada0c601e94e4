//! AMD's sample: chain, signature, fields and time. That a report binds our keyset is tested on
//! synthetic reports, in `src/snp/tests.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use sealgate_attestation::Kind;
use sealgate_keys::Base64;
use sealgate_keys::evidence::Evidence;
use support::{Case, chain, milan, sample, trust};

#[test]
fn the_vendors_report_is_accepted_inside_its_validity() {
    let verdict = milan().judge().unwrap();
    assert_eq!(verdict.kind(), Kind::SevSnp);
    assert_eq!(verdict.measurement(), Some("sample"));
    assert_eq!(verdict.tcb(), Some("bootloader 3, tee 0, snp 8, microcode 115"));
    assert_eq!(verdict.valid_until_s(), VCEK_ENDS_S + 1);
}

#[test]
fn before_and_after_the_vceks_validity_it_is_refused() {
    for (now_s, code) in [
        (VCEK_BEGINS_S - 1, "certificate_expired"),
        (VCEK_BEGINS_S, "accepted"),
        (VCEK_ENDS_S, "accepted"),
        (VCEK_ENDS_S + 1, "certificate_expired"),
    ] {
        assert_eq!(Case { now_s, ..milan() }.code(), code, "{now_s}");
    }
}

#[test]
fn an_unknown_measurement_is_refused() {
    let fields = format!("measurement = \"{}\"\n{MIN_TCB}", "05".repeat(48));
    let case = milan();
    let trust = trust(Kind::SevSnp, &fields, case.now_s);
    assert_eq!(Case { trust, ..case }.code(), "measurement_unknown");
}

#[test]
fn firmware_older_than_demanded_is_refused_with_its_versions() {
    let case = milan();
    let Evidence::SevSnp { report, .. } = &case.evidence else { unreachable!() };
    let measurement = hex::encode(&report.0[0x090..0x0c0]);
    let min_tcb = MIN_TCB.replace("115", "116");
    let fields = format!("measurement = \"{measurement}\"\n{min_tcb}");
    let trust = trust(Kind::SevSnp, &fields, case.now_s);
    let refusal = Case { trust, ..case }.judge().unwrap_err();
    assert_eq!(refusal.code(), "tcb_too_old");
    assert!(refusal.to_string().contains("microcode 115"), "{refusal}");
}

#[test]
fn other_report_data_is_refused() {
    assert_eq!(Case { expected: [0; 64], ..milan() }.code(), "report_data_mismatch");
}

#[test]
fn a_kind_that_is_not_accepted_is_refused() {
    let mut case = milan();
    case.trust.accept = vec![Kind::Software, Kind::Tdx, Kind::Nitro];
    assert_eq!(case.code(), "kind_not_accepted");
}

#[test]
fn without_measurements_no_hardware_is_known() {
    let mut case = milan();
    case.trust.measurements = None;
    assert_eq!(case.code(), "measurement_unknown");
}

#[test]
fn a_report_without_certificates_lacks_its_collateral() {
    let case = with(|_, certificates| certificates.clear());
    assert_eq!(case.code(), "collateral_missing");
}

#[test]
fn a_chain_with_one_certificate_less_or_more_is_refused() {
    let less = with(|_, certificates| drop(certificates.pop()));
    let more = with(|_, certificates| certificates.push(certificates[2].clone()));
    assert_eq!([less.code(), more.code()], ["chain_invalid", "chain_invalid"]);
}

#[test]
fn each_flipped_byte_of_the_report_is_found() {
    for offset in 0..REPORT_BYTES {
        let code = with(|report, _| report[offset] ^= 0x01).code();
        let expected: &[&str] = match offset {
            0x2a0.. => &["signature_invalid", "malformed"],
            _ => &["signature_invalid", "malformed", "report_data_mismatch"],
        };
        assert!(expected.contains(&code), "{offset:#x}: {code}");
        assert_ne!(code, "report_data_mismatch", "the signature is looked at first");
    }
}

#[test]
fn each_flipped_byte_of_each_certificate_is_found() {
    for index in 0..3 {
        let bytes = with(|_, _| ()).certificates()[index].0.len();
        for offset in 0..bytes {
            let code = with(|_, certificates| certificates[index].0[offset] ^= 0x01).code();
            let named = ["chain_invalid", "certificate_expired"].contains(&code);
            assert!(named, "certificate {index}, {offset:#x}: {code}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for bytes in 0..REPORT_BYTES {
        assert_eq!(with(|report, _| report.truncate(bytes)).code(), "malformed", "{bytes}");
    }
    for index in 0..3 {
        for bytes in 0..with(|_, _| ()).certificates()[index].0.len() {
            let case = with(|_, certificates| certificates[index].0.truncate(bytes));
            assert_eq!(case.code(), "chain_invalid", "certificate {index}, {bytes}");
        }
    }
}

#[test]
fn a_report_under_another_generations_chain_is_refused() {
    let [ask, ark] = chain("tests/certs_data/cert_chain_turin");
    let turin = [sample("sev", "tests/certs_data/vcek_turin.der"), ask, ark].map(Base64);
    let mut vcek = with(|_, certificates| certificates[0] = turin[0].clone());
    let roots = with(|_, certificates| certificates[1..].clone_from_slice(&turin[1..]));
    vcek.now_s = BOTH_VALID_S;
    assert_eq!([vcek.code(), roots.code()], ["chain_invalid", "chain_invalid"]);
}

#[test]
fn turins_chain_holds_and_does_not_vouch_for_milans_report() {
    // There is no report of Turin to go with it: that its chain, whose signature is encoded
    // otherwise than Milan's, leads to AMD's root shows in the report's signature being reached.
    let [ask, ark] = chain("tests/certs_data/cert_chain_turin");
    let turin = [sample("sev", "tests/certs_data/vcek_turin.der"), ask, ark].map(Base64);
    let mut case = with(|_, certificates| *certificates = turin.to_vec());
    case.now_s = BOTH_VALID_S;
    assert_eq!(case.code(), "signature_invalid");
}

/// The sample with something done to its report or its certificates.
fn with(change: impl FnOnce(&mut Vec<u8>, &mut Vec<Base64>)) -> Case {
    let mut case = milan();
    if let Evidence::SevSnp { report, certificates } = &mut case.evidence {
        change(&mut report.0, certificates);
    }
    case
}

trait Certificates {
    fn certificates(&self) -> &[Base64];
}

impl Certificates for Case {
    fn certificates(&self) -> &[Base64] {
        let Evidence::SevSnp { certificates, .. } = &self.evidence else { unreachable!() };
        certificates
    }
}

const REPORT_BYTES: usize = 0x4a0;
/// 2023-04-03 19:23:43
const VCEK_BEGINS_S: u64 = 1_680_549_823;
/// 2030-04-03 19:23:43
const VCEK_ENDS_S: u64 = 1_901_474_623;
/// In 2025, when the VCEKs of both samples are valid.
const BOTH_VALID_S: u64 = 1_750_000_000;
const MIN_TCB: &str = "min_tcb = { bootloader = 3, tee = 0, snp = 8, microcode = 115 }";
