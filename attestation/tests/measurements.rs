//! `measurements.toml`: who signed it, when it counts, and what is wrong with it in words.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use sealgate_attestation::{Measurements, MeasurementsError, sign};
use support::Signer;

#[test]
fn signed_by_the_pinned_key_they_count() {
    let measurements = verify(&text(), 0, NOW_S).unwrap();
    assert_eq!((measurements.version(), measurements.expires_at_s()), (7, NOW_S + 1000));
}

#[test]
fn signed_by_another_key_they_do_not() {
    let signature = sign(&text(), &Signer::new().pkcs8).unwrap();
    let pinned = Signer::new().public();
    let refusal = Measurements::verify(&text(), &signature, &pinned, 0, NOW_S).unwrap_err();
    assert_eq!(refusal, MeasurementsError::Signature);
}

#[test]
fn each_changed_byte_breaks_the_signature() {
    let signer = Signer::new();
    let signature = sign(&text(), &signer.pkcs8).unwrap();
    for offset in 0..text().len() {
        let mut bytes = text().into_bytes();
        bytes[offset] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let refusal = Measurements::verify(&changed, &signature, &signer.public(), 0, NOW_S);
        assert_eq!(refusal.unwrap_err(), MeasurementsError::Signature, "{offset}");
    }
}

#[test]
fn a_signature_without_our_label_does_not_count() {
    let signer = Signer::new();
    let signature = signer.key.sign(text().as_bytes()).as_ref().try_into().unwrap();
    let refusal = Measurements::verify(&text(), &signature, &signer.public(), 0, NOW_S);
    assert_eq!(refusal.unwrap_err(), MeasurementsError::Signature);
}

#[test]
fn the_newest_version_seen_counts_again_and_an_older_one_never() {
    assert!(verify(&text(), 7, NOW_S).is_ok());
    let refusal = verify(&text(), 8, NOW_S).unwrap_err();
    assert_eq!(refusal, MeasurementsError::RolledBack { version: 7, newest_seen: 8 });
}

#[test]
fn outside_their_time_they_do_not_count() {
    let (issued_at_s, expires_at_s) = (NOW_S, NOW_S + 1000);
    let early = verify(&text(), 0, NOW_S - 61).unwrap_err();
    assert_eq!(early, MeasurementsError::NotYetIssued { issued_at_s });
    assert!(verify(&text(), 0, NOW_S - 60).is_ok());
    assert!(verify(&text(), 0, expires_at_s - 1).is_ok());
    let late = verify(&text(), 0, expires_at_s).unwrap_err();
    assert_eq!(late, MeasurementsError::Expired { expires_at_s });
}

#[test]
fn text_with_a_mistake_is_not_signed() {
    let text = text().replace("version", "versoin");
    let error = sign(&text, &Signer::new().pkcs8).unwrap_err();
    assert!(matches!(error, MeasurementsError::Mistake(_)));
}

#[test]
fn what_is_not_a_key_signs_nothing() {
    assert_eq!(sign(&text(), &[0; 48]).unwrap_err(), MeasurementsError::Key);
}

#[test]
fn a_mistake_has_a_line_and_a_hint() {
    let text = text().replace("measurement = ", "mesurement = ");
    let mistake = Measurements::check(&text).unwrap_err();
    assert_eq!(mistake.line, Some(8));
    assert_eq!(mistake.hint.as_deref(), Some("did you mean `measurement`?"));
    assert!(mistake.to_string().starts_with("error: `measurements.toml` line 8: unknown field"));
}

#[test]
fn a_measurement_of_the_wrong_length_is_told_at_its_line() {
    let text = text().replace(&"05".repeat(48), &"05".repeat(47));
    let mistake = Measurements::check(&text).unwrap_err();
    assert_eq!(mistake.line, Some(8));
    assert!(mistake.message.contains("96 hexadecimal digits"), "{mistake}");
}

#[test]
fn each_of_these_is_a_mistake() {
    let nitro = "[[workers]]\nid = \"b\"\nkind = \"nitro\"\n";
    let tdx = format!("[[workers]]\nid = \"b\"\nkind = \"tdx\"\nmr_td = \"{}\"\n", "05".repeat(48));
    let snp = "[[workers]]\nid = \"a\"\nkind = \"sev-snp\"\n";
    for (what, text, message) in [
        ("a kind nobody knows", text().replace("sev-snp", "snp"), "unknown variant"),
        ("an entry without an id", text().replace("id = \"a\"\n", ""), "an entry has no `id`"),
        ("an entry without a kind", text().replace("kind = \"sev-snp\"\n", ""), "no `kind`"),
        ("an unknown field at the top", text().replace("version", "x = 1\nversion"), "unknown"),
        ("two entries of one id", text().clone() + &text()[text().find("[[").unwrap()..], "`a` is"),
        ("a field that is missing", text() + nitro, "missing field `pcr0`"),
        ("another kind's field", text() + &tdx + "pcr0 = \"\"\n", "unknown field `pcr0`"),
        ("accepting what is revoked", text() + &tdx + "tcb_statuses = [\"Revoked\"]\n", "Revoked"),
        ("a status nobody knows", text() + &tdx + "tcb_statuses = [\"Fine\"]\n", "unknown variant"),
        (
            "an entry like every worker",
            text() + &nitro.replace("nitro", "software"),
            "every worker",
        ),
        ("workers that are no tables", "workers = 1\n".to_owned() + HEAD, "not a list of tables"),
        (
            "a table that is no list",
            HEAD.to_owned() + &snp.replace("[[", "[").replace("]]", "]"),
            "",
        ),
        ("no time at all", text().replace(&(NOW_S + 1000).to_string(), "1"), "is not after"),
        ("no TOML", "=".to_owned(), ""),
    ] {
        let mistake = Measurements::check(&text).expect_err(what);
        assert!(mistake.message.contains(message), "{what}: {mistake}");
    }
}

#[test]
fn every_truncation_that_parses_is_of_whole_lines() {
    // Nothing may panic; what is cut inside a line is a mistake or means the same.
    for bytes in 0..text().len() {
        let _ = Measurements::check(&text()[..bytes]);
    }
}

fn verify(text: &str, newest_seen: u64, now_s: u64) -> Result<Measurements, MeasurementsError> {
    let signer = Signer::new();
    let signature = sign(text, &signer.pkcs8).unwrap();
    Measurements::verify(text, &signature, &signer.public(), newest_seen, now_s)
}

const HEAD: &str = "version = 7\nissued_at_s = 1\nexpires_at_s = 2\n";

fn text() -> String {
    let expires_at_s = NOW_S + 1000;
    let measurement = "05".repeat(48);
    format!(
        "version = 7\nissued_at_s = {NOW_S}\nexpires_at_s = {expires_at_s}\n\n\
         [[workers]]\nid = \"a\"\nkind = \"sev-snp\"\nmeasurement = \"{measurement}\"\n\
         min_tcb = {{ bootloader = 3, tee = 0, snp = 8, microcode = 115 }}\n"
    )
}

const NOW_S: u64 = 1_795_000_000;
