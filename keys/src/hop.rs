//! Opening a session on the hop: the worker's hello, the gateway's answer to it.
//!
//! 1. The worker makes a fresh X-Wing key pair and sends [`Hello`].
//! 2. The gateway judges it and runs HPKE (RFC 9180) in PSK mode towards that key. The PSK is the
//!    secret it passed at spawn. It sends the encapsulated key and one sealed confirmation.
//! 3. Both export [`SessionSecret`]; the worker destroys its hop key.
//!
//! Post-quantum KEMs work in HPKE's Base and PSK modes only; PSK is what authenticates the
//! gateway here.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeS, PskBundle, Serializable, setup_sender};
use minicbor::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::{HopPsk, KeyError, Secret, SessionSecret, labels};

/// HPKE suite of the hop: KEM X-Wing 0x647A, KDF HKDF-SHA256 0x0001, AEAD AES-256-GCM 0x0002.
pub const SUITE: [u8; 6] = [0x64, 0x7a, 0x00, 0x01, 0x00, 0x02];
/// The longest hello either side accepts.
pub const HELLO_BYTES_MAX: usize = 64 << 10;

/// What a worker shows when a gateway connects: who it is for this connection, and evidence for it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// What the session's key schedule binds.
    #[n(0)]
    pub identity: Identity,
    /// JSON of [`Evidence`](crate::evidence::Evidence) over [`Identity::digest`] and the nonce
    /// that came with the PSK.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub evidence: Vec<u8>,
}

/// A worker's keyset on the hop. The words are its own; evidence binds them to whoever signed it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Identity {
    /// [`labels::HOP_VERSION`] of the worker.
    #[n(0)]
    pub version: u16,
    /// X-Wing public key, fresh for this connection.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hop_key: Vec<u8>,
    /// Name and version of the build.
    #[n(2)]
    pub build: String,
    /// The engine it infers with: `flex` or `ndarray`.
    #[n(3)]
    pub engine: String,
    /// How many threads infer.
    #[n(4)]
    pub threads: u16,
    /// SHA-256 of the program file, as the worker read it at start.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub build_digest: [u8; 32],
    /// Each guard and how it stands, in words.
    #[n(6)]
    pub sandbox: Vec<String>,
    /// Whether every essential guard holds, tried by every thread.
    #[n(7)]
    pub enforced: bool,
}

impl Hello {
    /// CBOR (RFC 8949): an array in field order.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        cbor(self)
    }

    /// Reads what [`Hello::encode`] wrote.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for anything else, [`KeyError::Version`] for another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut decoder = minicbor::Decoder::new(bytes);
        let hello: Self = decoder.decode().map_err(|_| KeyError::Malformed("hello"))?;
        if decoder.position() != bytes.len() || bytes.len() > HELLO_BYTES_MAX {
            return Err(KeyError::Malformed("hello"));
        }
        let theirs = hello.identity.version;
        if theirs != labels::HOP_VERSION {
            return Err(KeyError::Version { ours: labels::HOP_VERSION, theirs });
        }
        Ok(hello)
    }
}

impl Identity {
    /// SHA-256 over label and encoding; stands in the HPKE `info` and in audit records.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new().chain_update(labels::KEYSET).chain_update(cbor(self)).finalize().into()
    }
}

fn cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "a Vec takes every write")]
    minicbor::to_vec(value).expect("encoding into memory does not fail")
}

/// HPKE's `info`: `label || version || gateway || worker || suite || keyset digest`.
#[must_use]
pub fn session_info(keyset_digest: &[u8; 32]) -> Vec<u8> {
    [
        labels::SESSION_INFO,
        &labels::HOP_VERSION.to_be_bytes(),
        labels::ROLE_GATEWAY,
        labels::ROLE_WORKER,
        &SUITE,
        keyset_digest,
    ]
    .concat()
}

/// The gateway's side: the payload of the open frame, and the session's secret.
///
/// The payload is `encapsulated key (1120) || sealed empty confirmation (16)`.
///
/// # Errors
/// [`KeyError::Refused`] when the worker's key is none.
pub fn open_session(worker: &Identity, psk: &HopPsk) -> Result<(Vec<u8>, SessionSecret), KeyError> {
    let key =
        <XWing as Kem>::PublicKey::from_bytes(&worker.hop_key).map_err(|_| KeyError::Refused)?;
    let bundle = PskBundle::new(psk.expose(), labels::PSK_ID).map_err(|_| KeyError::Refused)?;
    let info = session_info(&worker.digest());
    let (encapped, mut context) =
        setup_sender::<AesGcm256, HkdfSha256, XWing>(&OpModeS::Psk(bundle), &key, &info)
            .map_err(|_| KeyError::Refused)?;
    let confirmation = context.seal(&[], labels::SESSION_CONFIRM).map_err(|_| KeyError::Refused)?;
    let mut secret = Secret::from_bytes([0; 32]);
    context.export(labels::SESSION_EXPORT, secret.expose_mut()).map_err(|_| KeyError::Refused)?;
    let payload = [&encapped.to_bytes()[..], &confirmation].concat();
    Ok((payload, SessionSecret::new(secret)))
}
