use hpke::aead::{Aead as HpkeAead, AesGcm128, AesGcm256, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::{X25519HkdfSha256, XWing};
use hpke::{Deserializable, Kem as HpkeKem, OpModeS, Serializable, setup_sender};
use zeroize::Zeroizing;

use super::KeyConfig;
use super::response::ResponseOpener;
use super::suite::{Aead, Header, Kem, response_secret_label};
use crate::{KeyError, Secret, labels};

/// Seals one request (RFC 9458, section 4.3): the bytes to send, and what opens their one answer.
///
/// # Errors
/// [`KeyError::Refused`] when the key is none, or not meant for this AEAD.
pub fn seal(
    config: &KeyConfig,
    aead: Aead,
    message: &[u8],
) -> Result<(Vec<u8>, ResponseOpener), KeyError> {
    if !config.aeads.contains(&aead) {
        return Err(KeyError::Refused);
    }
    match config.kem {
        Kem::XWing => with_kem::<XWing>(config, aead, message),
        Kem::X25519 => with_kem::<X25519HkdfSha256>(config, aead, message),
    }
}

fn with_kem<K: HpkeKem>(
    config: &KeyConfig,
    aead: Aead,
    message: &[u8],
) -> Result<(Vec<u8>, ResponseOpener), KeyError> {
    match aead {
        Aead::Aes256Gcm => with_suite::<K, AesGcm256>(config, aead, message),
        Aead::Aes128Gcm => with_suite::<K, AesGcm128>(config, aead, message),
        Aead::ChaCha20Poly1305 => with_suite::<K, ChaCha20Poly1305>(config, aead, message),
    }
}

fn with_suite<K: HpkeKem, A: HpkeAead>(
    config: &KeyConfig,
    aead: Aead,
    message: &[u8],
) -> Result<(Vec<u8>, ResponseOpener), KeyError> {
    let header = Header { key_id: config.key_id, kem: config.kem, aead };
    let key = K::PublicKey::from_bytes(&config.public_key).map_err(|_| KeyError::Refused)?;
    let (encapsulated, mut context) =
        setup_sender::<A, HkdfSha256, K>(&OpModeS::Base, &key, &header.info())
            .map_err(|_| KeyError::Refused)?;
    let sealed = context.seal(message, &[]).map_err(|_| KeyError::Refused)?;
    let encapsulated = encapsulated.to_bytes().to_vec();

    let mut secret = Zeroizing::new(vec![0; aead.response_nonce_bytes()]);
    context.export(response_secret_label(), &mut secret).map_err(|_| KeyError::Refused)?;
    let mut commitment = Secret::from_bytes([0; 32]);
    context
        .export(labels::COMMITMENT_EXPORT, commitment.expose_mut())
        .map_err(|_| KeyError::Refused)?;

    let bytes = [&header.encode()[..], &encapsulated, &sealed].concat();
    Ok((bytes, ResponseOpener::new(aead, encapsulated, secret, commitment)))
}
