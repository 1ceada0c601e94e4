use std::sync::LazyLock;

use sealgate_keys::Keyset;
use sealgate_keys::ohttp::{Header, KeyList, seal};
use sealgate_keys::receipt::{self, GatewayReceipt, Receipt, ReceiptKey, WorkerReceipt};

use crate::cursor::Cursor;
use crate::nonces::nonces;

/// What a client reads before and after it seals: the first byte says which, the rest is it.
///
/// # Panics
/// When something is read that is not written back, or a receipt verifies that nobody signed.
pub fn key_list(input: &[u8]) {
    let mut cursor = Cursor::new(input);
    match cursor.byte() % 5 {
        0 => list(cursor.rest()),
        1 => keyset(cursor.rest()),
        2 => nonces(cursor.rest()),
        3 => unsigned(cursor.rest()),
        _ => {
            signed::<WorkerReceipt>(cursor.rest());
            signed::<GatewayReceipt>(cursor.rest());
        }
    }
}

fn list(bytes: &[u8]) {
    let Ok(list) = KeyList::decode(bytes) else { return };
    let written = list.encode();
    assert!(written.len() <= bytes.len(), "what is unknown is left out, nothing is added");
    assert_eq!(KeyList::decode(&written).as_ref(), Ok(&list), "what is read is written back");
    // A hostile list may hold no key at all: sealing to it must fail, if it does, as an error.
    let Some(config) = list.0.first() else { return };
    let aead = *config.aeads.first().expect("a key without a suite is left out");
    if let Ok((request, _)) = seal(config, aead, b"a row") {
        let header = Header::read(&request).expect("our own header");
        assert_eq!(header, Header { key_id: config.key_id, kem: config.kem, aead });
    }
}

fn keyset(bytes: &[u8]) {
    let Ok(keyset) = Keyset::decode(bytes) else { return };
    assert_eq!(keyset.encode(), bytes, "one keyset has one form, or two digests");
}

/// A line that this key never signed.
fn unsigned(bytes: &[u8]) {
    let Ok(line) = std::str::from_utf8(bytes) else { return };
    let _ = receipt::claimed_type(line);
    let key = KEY.public();
    assert!(receipt::verify::<WorkerReceipt>(line, &key).is_err(), "nobody signed this");
    assert!(receipt::verify::<GatewayReceipt>(line, &key).is_err(), "nobody signed this");
}

/// Words that this key does sign: its line verifies as what it is, unless its type is another.
fn signed<R: Receipt + PartialEq>(bytes: &[u8]) {
    let Ok(receipt) = serde_json::from_slice::<R>(bytes) else { return };
    let line = KEY.sign(&receipt).expect("text is signed");
    let honest = receipt.kind() == R::TYPE && line.len() <= receipt::LINE_BYTES_MAX;
    match receipt::verify::<R>(&line, &KEY.public()) {
        Ok(read) => assert!(honest && read == receipt, "what is signed is what is read"),
        Err(_) => assert!(!honest, "what is signed verifies"),
    }
    let other: [u8; 32] = [3; 32];
    assert!(receipt::verify::<R>(&line, &other).is_err(), "another key verifies nothing");
    assert_eq!(receipt::claimed_type(&line).is_some(), line.len() <= receipt::LINE_BYTES_MAX);
}

static KEY: LazyLock<ReceiptKey> = LazyLock::new(|| ReceiptKey::generate().expect("a key"));
