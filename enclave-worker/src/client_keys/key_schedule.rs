//! HPKE's key schedule (RFC 9180, section 5.1) over a secret that is decapsulated already.
//!
//! `hpke` runs the schedule and the AEAD; it gets the shared secret by way of its own `Kem` trait,
//! as a mechanism whose private key is that secret and whose decapsulation hands it on.

use std::fmt;

use hpke::aead::{Aead as HpkeAead, AesGcm128, AesGcm256, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::SharedSecret;
use hpke::{Deserializable, HpkeError, Kem as HpkeKem, OpModeR, Serializable, setup_receiver};
use hybrid_array::typenum::{U0, U32};
use rand_core::CryptoRng;
use sealgate_keys::ohttp::{Aead, Header, Kem, ResponseSealer, response_secret_label};
use sealgate_keys::{Cleartext, KeyError, Secret, labels};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::OpenedByClientKey;

/// Opens a request whose shared secret is known, and derives its answer's and receipt's keys.
pub(super) fn open(
    header: Header,
    shared: Secret,
    encapsulated: &[u8],
    sealed: &[u8],
) -> Result<OpenedByClientKey, KeyError> {
    match header.kem {
        Kem::XWing => with_kem::<0x647a>(header, shared, encapsulated, sealed),
        Kem::X25519 => with_kem::<0x0020>(header, shared, encapsulated, sealed),
    }
}

fn with_kem<const ID: u16>(
    header: Header,
    shared: Secret,
    encapsulated: &[u8],
    sealed: &[u8],
) -> Result<OpenedByClientKey, KeyError> {
    match header.aead {
        Aead::Aes256Gcm => with_suite::<AesGcm256, ID>(header, shared, encapsulated, sealed),
        Aead::Aes128Gcm => with_suite::<AesGcm128, ID>(header, shared, encapsulated, sealed),
        Aead::ChaCha20Poly1305 => {
            with_suite::<ChaCha20Poly1305, ID>(header, shared, encapsulated, sealed)
        }
    }
}

fn with_suite<A: HpkeAead, const ID: u16>(
    header: Header,
    shared: Secret,
    encapsulated: &[u8],
    sealed: &[u8],
) -> Result<OpenedByClientKey, KeyError> {
    let shared = Shared(Zeroizing::new(*shared.expose()));
    let mut context = setup_receiver::<A, HkdfSha256, Decapsulated<ID>>(
        &OpModeR::Base,
        &shared,
        &Nothing,
        &header.info(),
    )
    .map_err(|_| KeyError::Refused)?;
    let message = context.open(sealed, &[]).map_err(|_| KeyError::Refused)?;
    let mut answer = Zeroizing::new(vec![0; header.aead.response_nonce_bytes()]);
    context.export(response_secret_label(), &mut answer).map_err(|_| KeyError::Refused)?;
    let mut commitment_key = Secret::from_bytes([0; 32]);
    context
        .export(labels::COMMITMENT_EXPORT, commitment_key.expose_mut())
        .map_err(|_| KeyError::Refused)?;
    Ok(OpenedByClientKey {
        message: Cleartext::new(message),
        reply: ResponseSealer::new(header.aead, encapsulated.to_vec(), answer),
        commitment_key,
        half_spent: false,
        claim: None,
    })
}

/// A mechanism that has decapsulated already; `ID` is the real one's identifier, which the key
/// schedule binds.
struct Decapsulated<const ID: u16>;

/// The shared secret, in the place of a private key.
#[derive(Clone)]
struct Shared(Zeroizing<[u8; 32]>);

/// In the place of keys that this direction has no use for.
#[derive(Clone, PartialEq, Eq)]
struct Nothing;

impl<const ID: u16> HpkeKem for Decapsulated<ID> {
    type PublicKey = Nothing;
    type PrivateKey = Shared;
    type EncappedKey = Nothing;
    type NSecret = U32;
    const KEM_ID: u16 = ID;

    fn sk_to_pk(_: &Shared) -> Nothing {
        Nothing
    }

    fn derive_keypair(_: &[u8]) -> (Shared, Nothing) {
        (Shared(Zeroizing::new([0; 32])), Nothing)
    }

    fn decap(
        shared: &Shared,
        _: Option<&Nothing>,
        _: &Nothing,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        Ok(SharedSecret((*shared.0).into()))
    }

    /// There is nobody to encapsulate to.
    fn encap_with_rng(
        _: &Nothing,
        _: Option<(&Shared, &Nothing)>,
        _: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, Nothing), HpkeError> {
        Err(HpkeError::EncapError)
    }
}

impl Serializable for Shared {
    type OutputSize = U32;
    fn write_exact(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&*self.0);
    }
}

impl Deserializable for Shared {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        let bytes = bytes.try_into().map_err(|_| HpkeError::ValidationError)?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl ConstantTimeEq for Shared {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&*other.0)
    }
}

impl Serializable for Nothing {
    type OutputSize = U0;
    fn write_exact(&self, _: &mut [u8]) {}
}

impl Deserializable for Nothing {
    fn from_bytes(_: &[u8]) -> Result<Self, HpkeError> {
        Ok(Self)
    }
}

impl fmt::Debug for Nothing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Nothing")
    }
}
