//! AWS's sample: chain, signature, fields and time. It carries no user data, so here the binding,
//! which comes last, is what it always fails; whole verdicts are tested on synthetic documents, in
//! `src/nitro/tests.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use sealgate_attestation::Kind;
use sealgate_keys::evidence::Evidence;
use support::{Case, nitro, trust};

#[test]
fn the_vendors_document_passes_every_check_but_the_binding_it_does_not_carry() {
    assert_eq!(nitro().code(), "report_data_mismatch");
}

#[test]
fn outside_the_leafs_three_hours_it_is_refused() {
    let mut case = nitro();
    case.trust.evidence_age_max_s = 24 * 3600;
    for (now_s, code) in [
        (LEAF_BEGINS_S - 1, "certificate_expired"),
        (LEAF_BEGINS_S, "report_data_mismatch"),
        (LEAF_ENDS_S, "report_data_mismatch"),
        (LEAF_ENDS_S + 1, "certificate_expired"),
    ] {
        case.now_s = now_s;
        assert_eq!(case.code(), code, "{now_s}");
    }
}

#[test]
fn a_document_older_than_allowed_is_stale_though_its_certificates_hold() {
    let case = nitro();
    let now_s = case.now_s + 600;
    assert_eq!(Case { now_s, ..case }.code(), "evidence_stale");
}

#[test]
fn each_unknown_register_is_refused() {
    let case = nitro();
    let other = "05".repeat(48);
    let fields = format!("pcr0 = \"{other}\"\npcr1 = \"{other}\"\npcr2 = \"{other}\"");
    let trust = trust(Kind::Nitro, &fields, case.now_s);
    assert_eq!(Case { trust, ..case }.code(), "measurement_unknown");
}

#[test]
fn a_kind_that_is_not_accepted_is_refused() {
    let mut case = nitro();
    case.trust.accept = vec![Kind::Software, Kind::SevSnp, Kind::Tdx];
    assert_eq!(case.code(), "kind_not_accepted");
}

#[test]
fn a_flipped_byte_is_found_before_the_binding_is_looked_at() {
    // Every other byte, so that all headers' kinds are met and the test stays short.
    for offset in (0..DOCUMENT_BYTES).step_by(2) {
        let code = with(|document| document[offset] ^= 0x01).code();
        let named = [
            "malformed",
            "chain_invalid",
            "certificate_expired",
            "signature_invalid",
            "collateral_missing",
        ];
        assert!(named.contains(&code), "{offset}: {code}");
    }
}

#[test]
fn a_flipped_byte_in_the_signature_the_payload_or_a_certificate_has_its_name() {
    for (part, from_end, code) in [
        ("signature", 10, "signature_invalid"),
        ("public key, which nothing but the signature covers", 150, "signature_invalid"),
        ("leaf", DOCUMENT_BYTES - 1400, "chain_invalid"),
        ("root", DOCUMENT_BYTES - 1700, "chain_invalid"),
    ] {
        let case = with(|document| document[DOCUMENT_BYTES - from_end] ^= 0x01);
        assert_eq!(case.code(), code, "{part}");
    }
}

#[test]
fn every_truncation_is_refused() {
    for bytes in 0..DOCUMENT_BYTES {
        assert_eq!(with(|document| document.truncate(bytes)).code(), "malformed", "{bytes}");
    }
}

#[test]
fn a_byte_behind_the_document_is_refused() {
    assert_eq!(with(|document| document.push(0)).code(), "malformed");
}

#[test]
fn a_tag_that_says_what_it_is_changes_nothing_and_another_is_refused() {
    let tagged = with(|document| document.insert(0, 0xd2));
    let other = with(|document| document.insert(0, 0xd1));
    assert_eq!([tagged.code(), other.code()], ["report_data_mismatch", "malformed"]);
}

fn with(change: impl FnOnce(&mut Vec<u8>)) -> Case {
    let mut case = nitro();
    if let Evidence::Nitro { document } = &mut case.evidence {
        change(&mut document.0);
    }
    case
}

const DOCUMENT_BYTES: usize = 4781;
/// 2025-01-06 16:07:02
const LEAF_BEGINS_S: u64 = 1_736_179_622;
/// 2025-01-06 19:07:05
const LEAF_ENDS_S: u64 = 1_736_190_425;
