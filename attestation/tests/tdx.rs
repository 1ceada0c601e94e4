//! Intel's samples: collateral, chain, signatures, fields, status and time. There is no synthetic
//! TDX evidence: the binding is tested against the sample's own report data alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use sealgate_attestation::{Check, Kind};
use sealgate_keys::Base64;
use sealgate_keys::evidence::Evidence;
use serde_json::Value;
use support::{Case, sample, tdx, trust};

#[test]
fn the_vendors_quote_is_accepted_inside_its_collaterals_validity() {
    let verdict = tdx().judge().unwrap();
    assert_eq!(verdict.kind(), Kind::Tdx);
    assert_eq!(verdict.measurement(), Some("sample"));
    assert_eq!(verdict.tcb(), Some("UpToDate"));
    assert!(verdict.advisories().is_empty());
    assert!(verdict.checks().contains(&Check::NotRevoked));
    assert_eq!(verdict.valid_until_s(), COLLATERAL_ENDS_S);
}

#[test]
fn before_and_after_its_validity_the_collateral_is_refused() {
    for (now_s, code) in [
        (COLLATERAL_BEGINS_S - 1, "collateral_expired"),
        (COLLATERAL_BEGINS_S, "accepted"),
        (COLLATERAL_ENDS_S - 1, "accepted"),
        (COLLATERAL_ENDS_S, "collateral_expired"),
    ] {
        assert_eq!(Case { now_s, ..tdx() }.code(), code, "{now_s}");
    }
}

#[test]
fn expired_collateral_comes_before_an_outdated_status() {
    let case = outdated();
    assert_eq!(case.code(), "tcb_too_old");
    let now_s = case.now_s + 40 * 24 * 3600;
    assert_eq!(Case { now_s, ..case }.code(), "collateral_expired");
}

#[test]
fn an_outdated_platform_is_refused_with_its_status_unless_the_entry_accepts_it() {
    let case = outdated();
    let refusal = case.judge().unwrap_err();
    assert!(refusal.to_string().contains("OutOfDate"), "{refusal}");

    let fields = format!("{}\ntcb_statuses = [\"UpToDate\", \"OutOfDate\"]", mr_td(&case));
    let trust = trust(Kind::Tdx, &fields, case.now_s);
    let verdict = Case { trust, ..case }.judge().unwrap();
    assert_eq!(verdict.tcb(), Some("OutOfDate"));
    assert!(!verdict.advisories().is_empty());
}

#[test]
fn an_unknown_domain_or_register_is_refused() {
    let case = tdx();
    let other = "05".repeat(48);
    let fields = [
        format!("mr_td = \"{other}\""),
        format!("{}\nrtmr0 = \"{other}\"", mr_td(&case)),
        format!("{}\nrtmr3 = \"{other}\"", mr_td(&case)),
    ];
    for fields in fields {
        let trust = trust(Kind::Tdx, &fields, case.now_s);
        assert_eq!(Case { trust, ..tdx() }.code(), "measurement_unknown", "{fields}");
    }
}

#[test]
fn all_registers_that_the_entry_names_are_compared() {
    let case = tdx();
    let quote = quote(&case);
    let registers: String = (0..4)
        .map(|index| {
            let start = 376 + index * 48;
            format!("\nrtmr{index} = \"{}\"", hex::encode(&quote[start..start + 48]))
        })
        .collect();
    let trust = trust(Kind::Tdx, &format!("{}{registers}", mr_td(&case)), case.now_s);
    assert_eq!(Case { trust, ..tdx() }.code(), "accepted");
}

#[test]
fn other_report_data_is_refused() {
    assert_eq!(Case { expected: [0; 64], ..tdx() }.code(), "report_data_mismatch");
}

#[test]
fn a_kind_that_is_not_accepted_is_refused() {
    let mut case = tdx();
    case.trust.accept = vec![Kind::Software, Kind::SevSnp, Kind::Nitro];
    assert_eq!(case.code(), "kind_not_accepted");
}

#[test]
fn a_quote_without_collateral_is_refused() {
    let mut case = tdx();
    if let Evidence::Tdx { collateral, .. } = &mut case.evidence {
        *collateral = None;
    }
    assert_eq!(case.code(), "collateral_missing");
}

#[test]
fn a_domain_that_may_be_debugged_profiled_or_migrated_is_refused() {
    for (offset, bit) in [(168, 0x01), (168, 0x10), (171, 0x20)] {
        let case = with_quote(|quote| quote[offset] ^= bit);
        assert_eq!(case.code(), "debug_mode", "{offset} {bit:#x}");
    }
}

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let attributes = 168..176;
    for offset in 0..QUOTE_BYTES {
        let code = with_quote(|quote| quote[offset] ^= 0x01).code();
        let named = match offset {
            // Base64 of certificates: what does not change their bytes changes nothing.
            CERTIFICATES.. => code != "report_data_mismatch",
            _ if attributes.contains(&offset) => {
                ["debug_mode", "signature_invalid"].contains(&code)
            }
            48..632 => code == "signature_invalid",
            // A length under no signature: one that takes in a zero from behind says the same.
            632 => code == "accepted",
            // The type of what is nested there, which is read as the one type there is.
            764..766 => code == "accepted",
            _ => code != "accepted",
        };
        assert!(named, "{offset}: {code}");
    }
}

#[test]
fn a_flipped_byte_in_the_quoting_key_s_certificate_is_found() {
    let code = with_quote(|quote| quote[CERTIFICATES + 400] ^= 0x01).code();
    assert_eq!(code, "chain_invalid");
}

#[test]
fn a_flipped_byte_in_a_signature_of_the_collateral_is_found() {
    for field in ["tcb_info_signature", "qe_identity_signature"] {
        let case = with_collateral(|json| flip_hex(&mut json[field]));
        assert_eq!(case.code(), "collateral_invalid", "{field}");
    }
    let list = with_collateral(|json| flip_hex(&mut json["root_ca_crl"]));
    assert_eq!(list.code(), "collateral_invalid");
}

#[test]
fn a_changed_level_in_the_collateral_is_found() {
    let case = with_collateral(|json| {
        let levels = json["tcb_info"].as_str().unwrap();
        json["tcb_info"] = levels.replace("\"OutOfDate\"", "\"UpToDate\"").into();
    });
    assert_eq!(case.code(), "collateral_invalid");
}

#[test]
fn collateral_of_another_family_of_platforms_is_refused() {
    let other = sample("dcap-qvl", "sample/tdx_quote_outdated_collateral.json");
    let mut case = with_collateral(|json| *json = serde_json::from_slice(&other).unwrap());
    case.now_s = 1_772_000_000;
    assert_eq!(case.code(), "collateral_invalid");
}

#[test]
fn a_later_kind_of_quote_is_read_too() {
    assert_eq!(extended().code(), "accepted");
}

#[test]
fn a_changed_byte_anywhere_in_the_collateral_is_survived() {
    // Some of it is layout, and issuers' chains repeat each other: only signed parts must count,
    // and those are tested above. Here nothing may panic.
    let Evidence::Tdx { quote, collateral: Some(whole) } = tdx().evidence else { unreachable!() };
    let template = tdx();
    for offset in (0..whole.len()).step_by(41) {
        let mut bytes = whole.clone().into_bytes();
        bytes[offset] ^= 0x02;
        let collateral = String::from_utf8(bytes).ok();
        let evidence = Evidence::Tdx { quote: quote.clone(), collateral };
        let _ = Case { evidence, trust: template.trust.clone(), ..template }.code();
    }
}

#[test]
fn every_truncation_of_the_quote_is_refused() {
    for bytes in 0..QUOTE_BYTES {
        assert_ne!(with_quote(|quote| quote.truncate(bytes)).code(), "accepted", "{bytes}");
    }
}

#[test]
fn every_truncation_of_the_collateral_is_refused() {
    let Evidence::Tdx { quote, collateral: Some(whole) } = tdx().evidence else { unreachable!() };
    let template = tdx();
    // The file ends with a line break or not; the object ends with its brace.
    for bytes in (0..whole.trim_end().len()).step_by(7) {
        let collateral = Some(whole[..bytes].to_owned());
        let evidence = Evidence::Tdx { quote: quote.clone(), collateral };
        let trust = template.trust.clone();
        let case = Case { evidence, trust, ..template };
        assert_eq!(case.code(), "collateral_invalid", "{bytes}");
    }
}

/// The sample's platform judged by what Intel signed for it sixteen months later, when its
/// firmware was out of date: the collateral of another sample for the same family.
fn outdated() -> Case {
    let case = with_collateral(|json| {
        *json = later_collateral();
        // The other sample's platform has another quoting key; ours is in the quote.
        json.as_object_mut().unwrap().remove("pck_certificate_chain");
    });
    Case { now_s: 1_791_600_000, ..case }
}

fn later_collateral() -> Value {
    let text = sample("dcap-qvl", "sample/tdx_quote_td15ex_collateral.json");
    serde_json::from_slice(&text).unwrap()
}

/// Intel's sample of a TDX 1.5 domain with service domains in its report.
fn extended() -> Case {
    let quote = sample("dcap-qvl", "sample/tdx_quote_td15ex");
    let now_s = 1_791_600_000;
    let fields = format!("mr_td = \"{}\"", hex::encode(&quote[190..238]));
    Case {
        expected: quote[574..638].try_into().unwrap(),
        trust: trust(Kind::Tdx, &fields, now_s),
        evidence: Evidence::Tdx {
            quote: Base64(quote),
            collateral: Some(later_collateral().to_string()),
        },
        now_s,
    }
}

fn quote(case: &Case) -> &[u8] {
    let Evidence::Tdx { quote, .. } = &case.evidence else { unreachable!() };
    &quote.0
}

/// The entry's line for the case's own domain.
fn mr_td(case: &Case) -> String {
    format!("mr_td = \"{}\"", hex::encode(&quote(case)[184..232]))
}

fn with_quote(change: impl FnOnce(&mut Vec<u8>)) -> Case {
    let mut case = tdx();
    if let Evidence::Tdx { quote, .. } = &mut case.evidence {
        change(&mut quote.0);
    }
    case
}

fn with_collateral(change: impl FnOnce(&mut Value)) -> Case {
    let mut case = tdx();
    if let Evidence::Tdx { collateral, .. } = &mut case.evidence {
        let mut json = serde_json::from_str(collateral.as_ref().unwrap()).unwrap();
        change(&mut json);
        *collateral = Some(json.to_string());
    }
    case
}

/// Flips the last bit of bytes that stand in JSON as hexadecimal.
fn flip_hex(value: &mut Value) {
    let mut bytes = hex::decode(value.as_str().unwrap()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    *value = hex::encode(bytes).into();
}

/// Header, body and signature data; zeros follow in the sample.
const QUOTE_BYTES: usize = 4936;
/// Where the PEM of the quoting key's chain begins: header and body, length, signature and key,
/// two headers, the enclave's report with its signature, 34 bytes of authentication data.
const CERTIFICATES: usize = 632 + 4 + 128 + 6 + 384 + 64 + 34 + 6;
/// 2025-06-19 10:32:27, by the quoting enclave's identity.
const COLLATERAL_BEGINS_S: u64 = 1_750_329_147;
/// 2025-07-19 10:00:35, by the revocation list of quoting keys.
const COLLATERAL_ENDS_S: u64 = 1_752_919_235;
