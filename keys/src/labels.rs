//! One label per purpose and direction, all in one place.
//!
//! Every derivation and every AAD but that of control frames (whose key is of one direction and
//! purpose) starts with one of these, so that bytes made for one purpose never verify for another.
//! `tests/vectors/*.json` hold values that a second implementation (`tests/vectors/*.py`) computed
//! with the same labels.

/// The hop protocol's version; part of the hello and of the HPKE `info`.
pub const HOP_VERSION: u16 = 1;

/// Start of the HPKE `info`; followed by version, roles, suite and keyset digest.
pub const SESSION_INFO: &[u8] = b"sealgate hop session v1";
/// The role of the side that seals requests.
pub const ROLE_GATEWAY: &[u8] = b"gateway";
/// The role of the side that opens them.
pub const ROLE_WORKER: &[u8] = b"worker";
/// HPKE `psk_id` of the secret passed at spawn.
pub const PSK_ID: &[u8] = b"sealgate hop psk v1";
/// TLS exporter (RFC 8446, section 7.5) label under which both ends of a connection to a remote worker
/// make PSK and nonce. Labels in private use begin so (RFC 5705, section 4).
pub const TLS_EXPORTER: &[u8] = b"EXPERIMENTAL sealgate hop v1";
/// HPKE exporter context of the session secret.
pub const SESSION_EXPORT: &[u8] = b"sealgate hop secret v1";

/// AAD of the message with which the gateway proves that it holds the PSK.
pub const SESSION_CONFIRM: &[u8] = b"sealgate hop confirm v1";

/// HKDF info: the next epoch's chain secret.
pub const CHAIN_NEXT: &[u8] = b"sealgate chain next v1";
/// HKDF info: KEK for requests, gateway to worker.
pub const KEK_REQUEST: &[u8] = b"sealgate kek request v1";
/// HKDF info: KEK for answers, worker to gateway.
pub const KEK_ANSWER: &[u8] = b"sealgate kek answer v1";
/// HKDF info: control messages, gateway to worker.
pub const CONTROL_TO_WORKER: &[u8] = b"sealgate control to-worker v1";
/// HKDF info: control messages, worker to gateway.
pub const CONTROL_TO_GATEWAY: &[u8] = b"sealgate control to-gateway v1";

/// AAD of a wrapped DEK.
pub const DEK_WRAP: &[u8] = b"sealgate dek wrap v1";
/// AAD of a gateway-sealed request's payload.
pub const REQUEST_GATEWAY_SEALED: &[u8] = b"sealgate request gateway-sealed v1";
/// AAD of a client-sealed request's payload.
pub const REQUEST_CLIENT_SEALED: &[u8] = b"sealgate request client-sealed v1";
/// HKDF info and AAD of an answer's payload.
pub const ANSWER: &[u8] = b"sealgate answer v1";
/// Start of the digest over a worker's keyset.
pub const KEYSET: &[u8] = b"sealgate keyset v1";

/// Start of a hardware report's or a software signature's report data.
pub const REPORT_DATA: &[u8] = b"sealgate report data v1";
/// Purpose in report data: a worker speaks to the gateway that is about to open a session.
pub const PURPOSE_HOP: &[u8] = b"sealgate purpose hop session v1";
/// Purpose in report data: a worker speaks to a client that is about to seal.
pub const PURPOSE_CLIENT: &[u8] = b"sealgate purpose client sealing v1";
/// Start of what an operator's key signs as software evidence.
pub const SOFTWARE_EVIDENCE: &[u8] = b"sealgate software evidence v1";
/// Start of the digest over the keyset that clients judge.
pub const CLIENT_KEYSET: &[u8] = b"sealgate client keyset v1";
/// Start of what is signed of `measurements.toml`.
pub const MEASUREMENTS: &[u8] = b"sealgate measurements v1";

/// HPKE exporter context: the key of a client-sealed request's commitments.
pub const COMMITMENT_EXPORT: &[u8] = b"sealgate commitment key v1";
/// Start of a commitment to what went into the network.
pub const COMMITMENT_INPUT: &[u8] = b"sealgate commitment input v1";
/// Start of a commitment to what left it.
pub const COMMITMENT_OUTPUT: &[u8] = b"sealgate commitment output v1";
/// Start of what a worker's receipt key signs.
pub const RECEIPT_WORKER: &[u8] = b"sealgate worker receipt v1";
/// Start of what a gateway's receipt key signs.
pub const RECEIPT_GATEWAY: &[u8] = b"sealgate gateway receipt v1";
/// Start of the salted digest of a receipt in an outcome record.
pub const RECEIPT_DIGEST: &[u8] = b"sealgate receipt digest v1";

/// HKDF info: the key of a sealed model file's chunks.
pub const AT_REST_CHUNK_KEY: &[u8] = b"sealgate at-rest chunk-key v1";
/// HKDF info: the commitment of a sealed model file to its DEK.
pub const AT_REST_COMMITMENT: &[u8] = b"sealgate at-rest commitment v1";
/// AAD of a sealed model file's chunks; followed by the header.
pub const AT_REST_CHUNK: &[u8] = b"sealgate at-rest chunk v1";
/// HKDF info: the key that wraps one file's DEK, from a key file's KEK.
pub const AT_REST_KEY_FILE: &[u8] = b"sealgate at-rest key-file wrap v1";
/// HKDF info: the key that wraps one file's DEK, from a passphrase.
pub const AT_REST_PASSPHRASE: &[u8] = b"sealgate at-rest passphrase wrap v1";
/// AAD of a sealed model file's wrapped DEK.
pub const AT_REST_DEK_WRAP: &[u8] = b"sealgate at-rest dek wrap v1";
/// HKDF info: the public id of a key file's KEK.
pub const AT_REST_KEK_ID: &[u8] = b"sealgate at-rest kek id v1";

/// HKDF info: the X-Wing seed of a function version, from its one secret.
pub const FUNCTION_X_WING: &[u8] = b"sealgate function x-wing v1";
/// HKDF info: its X25519 key.
pub const FUNCTION_X25519: &[u8] = b"sealgate function x25519 v1";
/// HKDF info: the seed of the key that signs its receipts.
pub const FUNCTION_RECEIPT: &[u8] = b"sealgate function receipt v1";
/// HKDF info: the seed of the key that vouches for its keyset.
pub const FUNCTION_VOUCHER: &[u8] = b"sealgate function voucher v1";
/// HKDF info: the key under which what it has opened is remembered outside of it.
pub const FUNCTION_REPLAY: &[u8] = b"sealgate function replay v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_is_the_start_of_another() {
        let all = [
            SESSION_INFO,
            PSK_ID,
            TLS_EXPORTER,
            SESSION_EXPORT,
            SESSION_CONFIRM,
            CHAIN_NEXT,
            KEK_REQUEST,
            KEK_ANSWER,
            CONTROL_TO_WORKER,
            CONTROL_TO_GATEWAY,
            DEK_WRAP,
            REQUEST_GATEWAY_SEALED,
            REQUEST_CLIENT_SEALED,
            ANSWER,
            KEYSET,
            REPORT_DATA,
            PURPOSE_HOP,
            PURPOSE_CLIENT,
            SOFTWARE_EVIDENCE,
            CLIENT_KEYSET,
            MEASUREMENTS,
            COMMITMENT_EXPORT,
            COMMITMENT_INPUT,
            COMMITMENT_OUTPUT,
            RECEIPT_WORKER,
            RECEIPT_GATEWAY,
            RECEIPT_DIGEST,
            AT_REST_CHUNK_KEY,
            AT_REST_COMMITMENT,
            AT_REST_CHUNK,
            AT_REST_KEY_FILE,
            AT_REST_PASSPHRASE,
            AT_REST_DEK_WRAP,
            AT_REST_KEK_ID,
            FUNCTION_X_WING,
            FUNCTION_X25519,
            FUNCTION_RECEIPT,
            FUNCTION_VOUCHER,
            FUNCTION_REPLAY,
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert!(i == j || !b.starts_with(a), "label {i} starts label {j}");
            }
        }
    }
}
