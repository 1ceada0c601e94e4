//! Decapsulation over the primitives of aws-lc: DHKEM(X25519, HKDF-SHA256) (RFC 9180, section 4.1)
//! and X-Wing (draft-connolly-cfrg-xwing-kem, section 5). Several times as fast as the portable
//! crates under `hpke`, against which the tests hold it.

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use aws_lc_rs::digest::{Context, SHA3_256};
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, ML_KEM_768};
use hkdf::Hkdf;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem as HpkeKem, Serializable};
use sealgate_keys::ohttp::Kem;
use sealgate_keys::{KeyError, Secret};
use sha2::Sha256;

/// A secret key of a client-facing key pair. It never leaves; a worker's is made here, a function's
/// comes out of its version's one secret.
pub(super) struct SecretKey {
    pair: Pair,
    public: Vec<u8>,
}

enum Pair {
    X25519(agreement::PrivateKey),
    XWing(DecapsulationKey, agreement::PrivateKey),
    /// aws-lc makes no ML-KEM key from a seed, so this one is the portable crate's.
    XWingOfSeed(Box<<XWing as HpkeKem>::PrivateKey>),
}

impl SecretKey {
    pub(super) fn generate(kem: Kem) -> Result<Self, KeyError> {
        let x25519 = agreement::PrivateKey::generate(&X25519).map_err(|_| KeyError::Randomness)?;
        let point = x25519.compute_public_key().map_err(|_| KeyError::Randomness)?;
        let (lattice, mut public) = match kem {
            Kem::X25519 => (None, Vec::new()),
            Kem::XWing => {
                let key =
                    DecapsulationKey::generate(&ML_KEM_768).map_err(|_| KeyError::Randomness)?;
                let public = key
                    .encapsulation_key()
                    .and_then(|key| key.key_bytes().map(|bytes| bytes.as_ref().to_vec()))
                    .map_err(|_| KeyError::Randomness)?;
                (Some(key), public)
            }
        };
        public.extend_from_slice(point.as_ref());
        let pair = match lattice {
            None => Pair::X25519(x25519),
            Some(lattice) => Pair::XWing(lattice, x25519),
        };
        Ok(Self { pair, public })
    }

    /// The key that `seed` always gives: X25519's own 32 bytes (RFC 7748), or X-Wing's seed.
    pub(super) fn of_seed(kem: Kem, seed: &Secret) -> Result<Self, KeyError> {
        match kem {
            Kem::X25519 => {
                let key = agreement::PrivateKey::from_private_key(&X25519, seed.expose())
                    .map_err(|_| KeyError::Refused)?;
                let point = key.compute_public_key().map_err(|_| KeyError::Refused)?;
                Ok(Self { public: point.as_ref().to_vec(), pair: Pair::X25519(key) })
            }
            Kem::XWing => {
                let key = <XWing as HpkeKem>::PrivateKey::from_bytes(seed.expose());
                let key = key.map_err(|_| KeyError::Refused)?;
                let public = XWing::sk_to_pk(&key).to_bytes().to_vec();
                Ok(Self { pair: Pair::XWingOfSeed(Box::new(key)), public })
            }
        }
    }

    pub(super) const fn kem(&self) -> Kem {
        match self.pair {
            Pair::X25519(_) => Kem::X25519,
            Pair::XWing(..) | Pair::XWingOfSeed(_) => Kem::XWing,
        }
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The shared secret behind an encapsulated key.
    pub(super) fn decapsulate(&self, encapsulated: &[u8]) -> Result<Secret, KeyError> {
        match &self.pair {
            Pair::X25519(x25519) => self.dhkem(x25519, encapsulated),
            Pair::XWing(lattice, x25519) => self.x_wing(lattice, x25519, encapsulated),
            Pair::XWingOfSeed(key) => of_seed(key, encapsulated),
        }
    }

    fn dhkem(
        &self,
        x25519: &agreement::PrivateKey,
        encapsulated: &[u8],
    ) -> Result<Secret, KeyError> {
        let suite = [b"KEM".as_slice(), &Kem::X25519.id().to_be_bytes()].concat();
        let context = [encapsulated, &self.public].concat();
        agree(x25519, encapsulated, |shared| {
            let labeled = [b"HPKE-v1".as_slice(), &suite, b"eae_prk", shared].concat();
            let prk = Hkdf::<Sha256>::new(None, &zeroize::Zeroizing::new(labeled));
            let mut secret = Secret::from_bytes([0; 32]);
            let info: [&[u8]; 5] =
                [&32u16.to_be_bytes(), b"HPKE-v1", &suite, b"shared_secret", &context];
            prk.expand_multi_info(&info, secret.expose_mut()).map_err(|_| KeyError::Refused)?;
            Ok(secret)
        })
    }

    fn x_wing(
        &self,
        key: &DecapsulationKey,
        x25519: &agreement::PrivateKey,
        encapsulated: &[u8],
    ) -> Result<Secret, KeyError> {
        let (lattice, point) =
            encapsulated.split_at_checked(ML_KEM_CIPHERTEXT_BYTES).ok_or(KeyError::Refused)?;
        let own_point = self.public.get(ML_KEM_PUBLIC_BYTES..).ok_or(KeyError::Refused)?;
        let first = key.decapsulate(Ciphertext::from(lattice)).map_err(|_| KeyError::Refused)?;
        agree(x25519, point, |second| {
            let mut hash = Context::new(&SHA3_256);
            for part in [first.as_ref(), second, point, own_point, X_WING_LABEL] {
                hash.update(part);
            }
            let mut secret = Secret::from_bytes([0; 32]);
            secret.expose_mut().copy_from_slice(hash.finish().as_ref());
            Ok(secret)
        })
    }
}

fn of_seed(key: &<XWing as HpkeKem>::PrivateKey, encapsulated: &[u8]) -> Result<Secret, KeyError> {
    let encapsulated =
        <XWing as HpkeKem>::EncappedKey::from_bytes(encapsulated).map_err(|_| KeyError::Refused)?;
    let shared = XWing::decap(key, None, &encapsulated).map_err(|_| KeyError::Refused)?;
    let mut secret = Secret::from_bytes([0; 32]);
    secret.expose_mut().copy_from_slice(&shared.0);
    Ok(secret)
}

/// X25519 with a peer's point; aws-lc refuses the all-zero result (RFC 7748, section 6.1).
fn agree(
    own: &agreement::PrivateKey,
    point: &[u8],
    derive: impl FnOnce(&[u8]) -> Result<Secret, KeyError>,
) -> Result<Secret, KeyError> {
    let peer = UnparsedPublicKey::new(&X25519, point);
    agreement::agree(own, peer, KeyError::Refused, derive)
}

const ML_KEM_CIPHERTEXT_BYTES: usize = 1088;
const ML_KEM_PUBLIC_BYTES: usize = 1184;
/// `\.//^\`, the wings.
const X_WING_LABEL: &[u8] = b"\\.//^\\";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use sealgate_keys::ohttp::{Aead, Header};

    use super::super::key_schedule;
    use super::*;

    /// RFC 9458, appendix A.
    #[test]
    fn the_appendix_request_opens_under_its_key() {
        let hex = |text: &str| hex::decode(text).unwrap();
        let secret = hex("3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a");
        let secret = Secret::from_bytes(secret.try_into().unwrap());
        let key = SecretKey::of_seed(Kem::X25519, &secret).unwrap();
        let request = hex(
            "010020000100014b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b4726374e469135906992e1268c594d2a10c695d858c40a026e7965e7d86b83dd440b2c0185204b4d63525",
        );
        let header = Header::read(&request).unwrap();
        assert_eq!((header.key_id, header.kem, header.aead), (1, Kem::X25519, Aead::Aes128Gcm));
        let (encapsulated, sealed) = request[7..].split_at(32);
        let shared = key.decapsulate(encapsulated).unwrap();
        let opened = key_schedule::open(header, shared, encapsulated, sealed).unwrap();
        assert_eq!(
            hex::encode(opened.message.expose()),
            "00034745540568747470730b6578616d706c652e636f6d012f"
        );
    }

    #[test]
    fn a_point_of_low_order_agrees_on_nothing() {
        let key = SecretKey::generate(Kem::X25519).unwrap();
        assert!(key.decapsulate(&[0; 32]).is_err());
    }
}
