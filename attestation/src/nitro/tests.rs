#![allow(clippy::unwrap_used, reason = "a test may panic")]

use minicbor::Encoder;
use sealgate_keys::evidence::{Purpose, report_data};

use super::*;
use crate::Trust;
use crate::synthetic::{CLAIMS, LEAF_ENDS_S, NOW_S, Vendor, trust};

/// An enclave under a vendor of the test's own.
struct Enclave {
    vendor: Vendor,
    timestamp_ms: u64,
    pcr0: [u8; 48],
    user_data: Option<Vec<u8>>,
    unprotected: u64,
    twice: bool,
}

impl Enclave {
    fn new() -> Self {
        Self {
            vendor: Vendor::new(Vec::new()),
            timestamp_ms: NOW_S * 1000,
            pcr0: [1; 48],
            user_data: Some(ours().to_vec()),
            unprotected: 0,
            twice: false,
        }
    }

    fn judge(&self, trust: &Trust, expected: &[u8; 64]) -> Result<Verdict, Refusal> {
        let pin = self.vendor.pin();
        let root = Root { pin: &pin, algorithms: AWS.algorithms };
        let case = Case { expected, trust, claims: &CLAIMS, now_s: NOW_S };
        judge(&self.document(), &root, &case)
    }

    fn document(&self) -> Vec<u8> {
        let payload = self.payload();
        let mut out = Vec::new();
        let mut cbor = Encoder::new(&mut out);
        cbor.array(4).unwrap().bytes(&[0xa1, 0x01, 0x38, 0x22]).unwrap();
        cbor.map(self.unprotected).unwrap();
        for key in 0..self.unprotected {
            cbor.u64(key).unwrap().null().unwrap();
        }
        cbor.bytes(&payload).unwrap();
        let mut message = Vec::new();
        let mut structure = Encoder::new(&mut message);
        structure.array(4).unwrap().str("Signature1").unwrap();
        structure.bytes(&[0xa1, 0x01, 0x38, 0x22]).unwrap().bytes(&[]).unwrap();
        structure.bytes(&payload).unwrap();
        Encoder::new(&mut out).bytes(&self.vendor.sign(&message)).unwrap();
        out
    }

    fn payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut cbor = Encoder::new(&mut out);
        cbor.map(8 + u64::from(self.twice)).unwrap();
        cbor.str("module_id").unwrap().str("i-1").unwrap();
        cbor.str("digest").unwrap().str("SHA384").unwrap();
        cbor.str("timestamp").unwrap().u64(self.timestamp_ms).unwrap();
        cbor.str("pcrs").unwrap().map(3).unwrap();
        for (index, value) in [(0, self.pcr0), (1, [2; 48]), (2, [3; 48])] {
            cbor.u8(index).unwrap().bytes(&value).unwrap();
        }
        cbor.str("certificate").unwrap().bytes(&self.vendor.leaf).unwrap();
        cbor.str("cabundle").unwrap().array(2).unwrap();
        cbor.bytes(&self.vendor.root).unwrap().bytes(&self.vendor.between).unwrap();
        for _ in 0..=u8::from(self.twice) {
            cbor.str("user_data").unwrap();
            match &self.user_data {
                Some(bytes) => cbor.bytes(bytes).unwrap(),
                None => cbor.null().unwrap(),
            };
        }
        cbor.str("nonce").unwrap().null().unwrap();
        out
    }
}

fn ours() -> [u8; 64] {
    report_data(Purpose::Client, &[1; 32], &[2; 32])
}

fn accepting() -> Trust {
    let [a, b, c] = ["01", "02", "03"].map(|byte| byte.repeat(48));
    trust(Kind::Nitro, &format!("pcr0 = \"{a}\"\npcr1 = \"{b}\"\npcr2 = \"{c}\""))
}

#[test]
fn an_enclave_that_binds_our_keyset_is_accepted() {
    let verdict = Enclave::new().judge(&accepting(), &ours()).unwrap();
    assert_eq!(verdict.measurement(), Some("ours"));
    assert_eq!(verdict.checks(), DEMANDED);
    assert_eq!(verdict.valid_until_s(), LEAF_ENDS_S + 1);
}

#[test]
fn another_purpose_keyset_or_nonce_is_a_mismatch() {
    for expected in [
        report_data(Purpose::Hop, &[1; 32], &[2; 32]),
        report_data(Purpose::Client, &[3; 32], &[2; 32]),
        report_data(Purpose::Client, &[1; 32], &[3; 32]),
    ] {
        let refusal = Enclave::new().judge(&accepting(), &expected).unwrap_err();
        assert_eq!(refusal, Refusal::ReportDataMismatch);
    }
}

#[test]
fn a_document_that_binds_nothing_or_more_is_a_mismatch() {
    let longer = [&ours()[..], &[0]].concat();
    for user_data in [None, Some(Vec::new()), Some(longer)] {
        let enclave = Enclave { user_data, ..Enclave::new() };
        let refusal = enclave.judge(&accepting(), &ours()).unwrap_err();
        assert_eq!(refusal, Refusal::ReportDataMismatch);
    }
}

#[test]
fn an_enclave_in_debug_mode_is_refused_though_an_entry_were_like_it() {
    let enclave = Enclave { pcr0: [0; 48], ..Enclave::new() };
    let [a, b, c] = ["00", "02", "03"].map(|byte| byte.repeat(48));
    let fields = format!("pcr0 = \"{a}\"\npcr1 = \"{b}\"\npcr2 = \"{c}\"");
    let refusal = enclave.judge(&trust(Kind::Nitro, &fields), &ours()).unwrap_err();
    assert_eq!(refusal, Refusal::DebugMode);
}

#[test]
fn a_document_too_old_or_from_the_future_is_refused_by_name() {
    for (seconds, expected) in [
        (NOW_S - 301, Err(Refusal::EvidenceStale)),
        (NOW_S - 300, Ok(())),
        (NOW_S + 60, Ok(())),
        (NOW_S + 61, Err(Refusal::EvidenceFromFuture)),
    ] {
        let enclave = Enclave { timestamp_ms: seconds * 1000, ..Enclave::new() };
        let outcome = enclave.judge(&accepting(), &ours()).map(|_| ());
        assert_eq!(outcome, expected, "{seconds}");
    }
}

#[test]
fn a_header_that_nobody_signed_is_refused() {
    let enclave = Enclave { unprotected: 1, ..Enclave::new() };
    assert_eq!(enclave.judge(&accepting(), &ours()).unwrap_err(), Refusal::Malformed);
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let enclave = Enclave { twice: true, ..Enclave::new() };
    assert_eq!(enclave.judge(&accepting(), &ours()).unwrap_err(), Refusal::Malformed);
}

#[test]
fn a_chain_of_ones_own_is_refused_under_the_vendors_pin() {
    let (trust, expected) = (accepting(), ours());
    let case = Case { expected: &expected, trust: &trust, claims: &CLAIMS, now_s: NOW_S };
    let refusal = judge(&Enclave::new().document(), &AWS, &case).unwrap_err();
    assert_eq!(refusal, Refusal::ChainInvalid);
}
