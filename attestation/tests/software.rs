//! Software evidence, whole: an operator's pinned key and what is bound to it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use sealgate_attestation::{Check, Kind, Trust};
use sealgate_keys::Base64;
use sealgate_keys::evidence::{Evidence, Purpose, report_data, software_message};
use support::{Case, Signer};

#[test]
fn evidence_by_a_pinned_key_that_binds_our_keyset_is_accepted() {
    let verdict = case().judge().unwrap();
    assert_eq!(verdict.kind(), Kind::Software);
    assert_eq!(verdict.measurement(), None);
    assert!(!verdict.checks().contains(&Check::MeasurementKnown));
    assert_eq!(verdict.valid_until_s(), NOW_S + 301);
}

#[test]
fn an_unpinned_key_is_refused_though_its_signature_holds() {
    let mut case = case();
    case.trust.software_keys = vec![Signer::new().public()];
    assert_eq!(case.code(), "key_not_pinned");
}

#[test]
fn a_pinned_key_is_not_enough_where_software_is_not_accepted() {
    let mut case = case();
    case.trust.accept = vec![Kind::SevSnp, Kind::Tdx, Kind::Nitro];
    assert_eq!(case.code(), "kind_not_accepted");
}

#[test]
fn naming_the_pinned_key_without_holding_it_is_refused() {
    let (pinned, thief) = (Signer::new(), Signer::new());
    let mut case = signed_by(&thief, NOW_S);
    case.trust.software_keys = vec![pinned.public()];
    if let Evidence::Software { key, .. } = &mut case.evidence {
        *key = Base64(pinned.public().to_vec());
    }
    assert_eq!(case.code(), "signature_invalid");
}

#[test]
fn another_purpose_keyset_or_nonce_is_refused() {
    for expected in [
        report_data(Purpose::Hop, &[1; 32], &[2; 32]),
        report_data(Purpose::Client, &[3; 32], &[2; 32]),
        report_data(Purpose::Client, &[1; 32], &[3; 32]),
    ] {
        assert_eq!(Case { expected, ..case() }.code(), "signature_invalid");
    }
}

#[test]
fn evidence_too_old_or_from_the_future_is_refused_by_name() {
    for (issued_at_s, code) in [
        (NOW_S - 301, "evidence_stale"),
        (NOW_S - 300, "accepted"),
        (NOW_S + 60, "accepted"),
        (NOW_S + 61, "evidence_from_future"),
        (u64::MAX, "evidence_from_future"),
    ] {
        assert_eq!(signed_by(&Signer::new(), issued_at_s).code(), code, "{issued_at_s}");
    }
}

#[test]
fn a_changed_time_breaks_the_signature() {
    let mut case = signed_by(&Signer::new(), NOW_S - 1000);
    if let Evidence::Software { issued_at_s, .. } = &mut case.evidence {
        *issued_at_s = NOW_S;
    }
    assert_eq!(case.code(), "signature_invalid");
}

#[test]
fn each_flipped_bit_of_the_signature_is_found() {
    for bit in 0..512 {
        let mut case = case();
        if let Evidence::Software { signature, .. } = &mut case.evidence {
            signature.0[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(case.code(), "signature_invalid", "{bit}");
    }
}

#[test]
fn every_truncation_is_refused() {
    for bytes in 0..64 {
        let mut case = case();
        if let Evidence::Software { signature, .. } = &mut case.evidence {
            signature.0.truncate(bytes);
        }
        assert_eq!(case.code(), "signature_invalid", "{bytes}");
    }
    for bytes in 0..32 {
        let mut case = case();
        if let Evidence::Software { key, .. } = &mut case.evidence {
            key.0.truncate(bytes);
        }
        assert_eq!(case.code(), "malformed", "{bytes}");
    }
}

#[test]
fn no_evidence_is_missing_evidence_whatever_is_accepted() {
    let mut case = case();
    case.trust.accept = Kind::ALL.to_vec();
    case.evidence = Evidence::None {};
    assert_eq!(case.code(), "evidence_missing");
}

#[test]
fn where_there_are_measurements_the_claims_must_be_like_an_entry() {
    let digest = "09".repeat(32);
    for (fields, code) in [
        ("build = \"sealgate-worker 0.1.0\"".to_owned(), "accepted"),
        (format!("build_digest = \"{digest}\""), "accepted"),
        (format!("build = \"sealgate-worker 0.1.0\"\nbuild_digest = \"{digest}\""), "accepted"),
        ("build = \"sealgate-worker 0.2.0\"".to_owned(), "measurement_unknown"),
        (format!("build_digest = \"{}\"", "08".repeat(32)), "measurement_unknown"),
        (
            format!("build = \"sealgate-worker 0.2.0\"\nbuild_digest = \"{digest}\""),
            "measurement_unknown",
        ),
    ] {
        let mut case = case();
        case.trust.measurements = support::trust(Kind::Software, &fields, NOW_S).measurements;
        assert_eq!(case.code(), code, "{fields}");
    }
}

#[test]
fn an_entry_and_measurements_end_at_their_time() {
    let text = "version = 1\nissued_at_s = 1\nexpires_at_s = 1795000200\n\
                [[workers]]\nid = \"a\"\nkind = \"software\"\nbuild = \"sealgate-worker 0.1.0\"\n";
    let shorter = text.replace("build =", "not_after_s = 1795000100\nbuild =");
    for (text, end_s) in [(text, 1_795_000_200), (&*shorter, 1_795_000_101)] {
        let mut case = case();
        case.trust.measurements = Some(Signer::new().measurements(text, NOW_S));
        let verdict = case.judge().unwrap();
        assert_eq!((verdict.measurement(), verdict.valid_until_s()), (Some("a"), end_s));
        case.now_s = end_s - 1;
        assert_eq!(case.code(), "accepted");
        case.now_s = end_s;
        assert_eq!(case.code(), "measurement_unknown");
    }
}

#[test]
fn an_entry_of_another_kind_does_not_vouch() {
    let mut case = case();
    let zeros = "00".repeat(48);
    let fields = format!("pcr0 = \"{zeros}\"\npcr1 = \"{zeros}\"\npcr2 = \"{zeros}\"");
    case.trust.measurements = support::trust(Kind::Nitro, &fields, NOW_S).measurements;
    assert_eq!(case.code(), "measurement_unknown");
}

fn case() -> Case {
    signed_by(&Signer::new(), NOW_S)
}

fn signed_by(signer: &Signer, issued_at_s: u64) -> Case {
    let expected = report_data(Purpose::Client, &[1; 32], &[2; 32]);
    let message = software_message(&expected, issued_at_s);
    Case {
        evidence: Evidence::Software {
            issued_at_s,
            key: Base64(signer.public().to_vec()),
            signature: Base64(signer.key.sign(&message).as_ref().to_vec()),
        },
        expected,
        trust: Trust {
            accept: vec![Kind::Software],
            software_keys: vec![signer.public()],
            measurements: None,
            evidence_age_max_s: 300,
        },
        now_s: NOW_S,
    }
}

const NOW_S: u64 = 1_795_000_000;
