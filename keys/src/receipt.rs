//! Receipts: signed words about what a worker answered or a gateway refused.
//!
//! A receipt is canonical JSON (RFC 8785) under an Ed25519 signature over `label || JSON`. On the
//! wire and in files it is one line: `{"receipt":…,"signature":"…"}`.

use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::key_file::{self, KeyFileError};
use crate::{Base64, KeyError, Secret, canonical, labels};

/// What a worker says it did with one opened request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerReceipt {
    /// `ok`, or the code of the worker's refusal.
    pub code: String,
    /// HMAC of the decoded rows, in hex; absent when nothing was decoded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input_commitment: Option<String>,
    /// SHA-256 of the keyset the worker showed, in hex.
    pub keyset_digest: String,
    /// `gateway-sealed` or `client-sealed`; `unsealed` of what reached a function in the clear.
    pub mode: String,
    /// SHA-256 of the artifact, in hex.
    pub model_digest: String,
    /// HMAC of the answer after the release cut, in hex; absent unless there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_commitment: Option<String>,
    /// SHA-256 of the policies, in hex, as the gateway claimed it.
    pub policy_digest: String,
    /// `label`, `rounded:N`, `buckets:N` or `full`.
    pub release_profile: String,
    /// The gateway's id of the request, in hex.
    pub request_id: String,
    /// SHA-256 of the model's feature schema, in hex.
    pub schema_digest: String,
    /// When, in seconds since 1970 by the worker's own clock.
    pub time_s: u64,
    /// [`WorkerReceipt::TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
}

/// What a gateway says it refused. No worker saw the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayReceipt {
    /// The refusal's stable code.
    pub code: String,
    /// SHA-256 of the policies in force, in hex.
    pub policy_digest: String,
    /// The gateway's id of the request, in hex.
    pub request_id: String,
    /// The HTTP status.
    pub status: u16,
    /// When, in seconds since 1970 by the gateway's clock.
    pub time_s: u64,
    /// [`GatewayReceipt::TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
}

/// A kind of receipt: its type word and its signature's label.
pub trait Receipt: Serialize + DeserializeOwned + private::Sealed {
    /// What `type` must say.
    const TYPE: &'static str;
    /// Start of what is signed.
    const LABEL: &'static [u8];
    /// The `type` this one carries.
    fn kind(&self) -> &str;
}

impl Receipt for WorkerReceipt {
    const TYPE: &'static str = "sealgate.worker-receipt.v1";
    const LABEL: &'static [u8] = labels::RECEIPT_WORKER;
    fn kind(&self) -> &str {
        &self.kind
    }
}

impl Receipt for GatewayReceipt {
    const TYPE: &'static str = "sealgate.gateway-receipt.v1";
    const LABEL: &'static [u8] = labels::RECEIPT_GATEWAY;
    fn kind(&self) -> &str {
        &self.kind
    }
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::WorkerReceipt {}
    impl Sealed for super::GatewayReceipt {}
}

/// An Ed25519 key (RFC 8032) that signs receipts and nothing else.
///
/// ```compile_fail
/// println!("{:?}", sealgate_keys::receipt::ReceiptKey::generate().unwrap());
/// ```
/// ```compile_fail
/// let copy = sealgate_keys::receipt::ReceiptKey::generate().unwrap().clone();
/// ```
pub struct ReceiptKey(Ed25519KeyPair);

impl ReceiptKey {
    /// A fresh one, in memory.
    ///
    /// # Errors
    /// [`KeyError::Randomness`].
    pub fn generate() -> Result<Self, KeyError> {
        Ed25519KeyPair::generate().map(Self).map_err(|_| KeyError::Randomness)
    }

    /// One from a file's PKCS#8 document (RFC 8410).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when it is none.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_pkcs8(document).map(Self).map_err(|_| KeyError::Malformed("key"))
    }

    /// One from the seed that it is derived from.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the library does not take it.
    pub fn from_seed(seed: &Secret) -> Result<Self, KeyError> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed.expose());
        key.map(Self).map_err(|_| KeyError::Refused)
    }

    /// The one in a file, made if there is no such file.
    ///
    /// # Errors
    /// [`KeyFileError`]; a file that holds something else is left as it is.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        let document = match key_file::read(path) {
            Err(error) if error.is_missing() => {
                let document = Self::new_document(path)?;
                key_file::create(path, &document)?;
                document
            }
            read => read?,
        };
        Self::from_pkcs8(&document).map_err(|_| KeyFileError::NoKey(path.to_owned()))
    }

    fn new_document(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let key = Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8());
        let key = key.map_err(|_| KeyFileError::Io {
            doing: "make",
            path: path.to_owned(),
            source: std::io::Error::other("no randomness"),
        })?;
        Ok(Zeroizing::new(key.as_ref().to_vec()))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.public_key().as_ref());
        out
    }

    /// The signed line.
    ///
    /// # Errors
    /// [`KeyError::Refused`] when the library does not sign.
    pub fn sign<R: Receipt>(&self, receipt: &R) -> Result<String, KeyError> {
        let body = canonical::encode(receipt);
        let message = [R::LABEL, &body].concat();
        let signature = self.0.try_sign(&message).map_err(|_| KeyError::Refused)?;
        let body = String::from_utf8(body).map_err(|_| KeyError::Malformed("receipt"))?;
        let signature = Base64(signature.as_ref().to_vec()).encode();
        Ok(format!(r#"{{"receipt":{body},"signature":"{signature}"}}"#))
    }
}

/// Reads a signed line and verifies it under `key`.
///
/// # Errors
/// [`KeyError::Malformed`] when it is no receipt of this kind in its one form,
/// [`KeyError::Refused`] when the signature does not verify.
pub fn verify<R: Receipt>(line: &str, key: &[u8; 32]) -> Result<R, KeyError> {
    let (body, signature) = parts(line).ok_or(MALFORMED)?;
    let receipt: R = canonical::decode(body.as_bytes(), LINE_BYTES_MAX, "receipt")?;
    let signature = Base64::decode(signature).ok_or(MALFORMED)?;
    if receipt.kind() != R::TYPE {
        return Err(MALFORMED);
    }
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&[R::LABEL, body.as_bytes()].concat(), &signature.0)
        .map_err(|_| KeyError::Refused)?;
    Ok(receipt)
}

/// What a signed line says, taken on nobody's word: its signature is not looked at.
#[must_use]
pub fn unverified<R: Receipt>(line: &str) -> Option<R> {
    let (body, _) = parts(line)?;
    let receipt: R = canonical::decode(body.as_bytes(), LINE_BYTES_MAX, "receipt").ok()?;
    (receipt.kind() == R::TYPE).then_some(receipt)
}

/// What a signed line says it is, before anything of it is verified.
#[must_use]
pub fn claimed_type(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let (body, _) = parts(line)?;
    serde_json::from_str::<Kind>(body).ok().map(|kind| kind.kind)
}

/// `SHA-256(label || request id || line)`: the digest in an outcome record. The request id, 128
/// random bits, salts it.
#[must_use]
pub fn digest(request_id: &[u8; 16], line: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(labels::RECEIPT_DIGEST)
        .chain_update(request_id)
        .chain_update(line)
        .finalize()
        .into()
}

/// The longest signed line that is read.
pub const LINE_BYTES_MAX: usize = 8 << 10;

/// The receipt's own text and the signature, by the line's fixed frame: what is verified is what
/// stands there, not what a parser made of it.
fn parts(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end_matches(['\r', '\n']);
    let inner = line.strip_prefix(r#"{"receipt":"#)?.strip_suffix(r#""}"#)?;
    let (body, signature) = inner.rsplit_once(r#","signature":""#)?;
    (line.len() <= LINE_BYTES_MAX).then_some((body, signature))
}

const MALFORMED: KeyError = KeyError::Malformed("receipt");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn refusal() -> GatewayReceipt {
        GatewayReceipt {
            code: "forbidden".into(),
            policy_digest: "00".repeat(32),
            request_id: "11".repeat(16),
            status: 403,
            time_s: 1_790_000_000,
            kind: GatewayReceipt::TYPE.into(),
        }
    }

    #[test]
    fn a_receipt_comes_back_as_it_was_signed() {
        let key = ReceiptKey::generate().unwrap();
        let line = key.sign(&refusal()).unwrap();
        assert_eq!(verify::<GatewayReceipt>(&line, &key.public()).unwrap(), refusal());
        assert_eq!(claimed_type(&line).as_deref(), Some(GatewayReceipt::TYPE));
    }

    #[test]
    fn no_changed_byte_verifies() {
        let key = ReceiptKey::generate().unwrap();
        let line = key.sign(&refusal()).unwrap();
        for at in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(verify::<GatewayReceipt>(&changed, &key.public()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn another_key_verifies_nothing() {
        let line = ReceiptKey::generate().unwrap().sign(&refusal()).unwrap();
        let other = ReceiptKey::generate().unwrap();
        assert_eq!(verify::<GatewayReceipt>(&line, &other.public()), Err(KeyError::Refused));
    }

    #[test]
    fn a_gateways_receipt_is_no_workers() {
        let key = ReceiptKey::generate().unwrap();
        let line = key.sign(&refusal()).unwrap();
        assert!(verify::<WorkerReceipt>(&line, &key.public()).is_err());
    }
}
