//! The worker's side of the hop's handshake. The secret key is born here and dies here.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, PskBundle, Serializable, setup_receiver};
use sealgate_keys::hop::{Hello, session_info};
use sealgate_keys::{HopPsk, KeyError, Secret, SessionSecret, labels};

/// A key pair for one connection, and the hello that shows its public half.
///
/// [`HopKey::accept`] consumes it: once the session stands, the secret key is gone.
///
/// ```compile_fail
/// let key = sealgate_worker::HopKey::generate("flex", 2);
/// println!("{:?}", key);
/// ```
/// ```compile_fail
/// let key = sealgate_worker::HopKey::generate("flex", 2);
/// let copy = key.clone();
/// ```
pub struct HopKey {
    secret: <XWing as Kem>::PrivateKey,
    hello: Hello,
}

impl HopKey {
    /// A fresh pair, from the operating system's randomness.
    #[must_use]
    pub fn generate(engine: &str, threads: u16) -> Self {
        let (secret, public) = XWing::gen_keypair();
        let hello = Hello {
            version: labels::HOP_VERSION,
            hop_key: public.to_bytes().to_vec(),
            build: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).into(),
            engine: engine.into(),
            threads,
        };
        Self { secret, hello }
    }

    /// What to show the gateway.
    #[must_use]
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Opens the gateway's open frame: only a gateway that holds `psk` gets a session.
    ///
    /// # Errors
    /// [`KeyError::Refused`], whatever was wrong.
    pub fn accept(self, psk: &HopPsk, payload: &[u8]) -> Result<SessionSecret, KeyError> {
        let (encapped, confirmation) =
            payload.split_at_checked(ENCAPPED_BYTES).ok_or(KeyError::Refused)?;
        let encapped =
            <XWing as Kem>::EncappedKey::from_bytes(encapped).map_err(|_| KeyError::Refused)?;
        let bundle = PskBundle::new(psk.expose(), labels::PSK_ID).map_err(|_| KeyError::Refused)?;
        let info = session_info(&self.hello.keyset_digest());
        let mut context = setup_receiver::<AesGcm256, HkdfSha256, XWing>(
            &OpModeR::Psk(bundle),
            &self.secret,
            &encapped,
            &info,
        )
        .map_err(|_| KeyError::Refused)?;
        let confirmed =
            context.open(confirmation, labels::SESSION_CONFIRM).map_err(|_| KeyError::Refused)?;
        if !confirmed.is_empty() {
            return Err(KeyError::Refused);
        }
        let mut secret = Secret::from_bytes([0; 32]);
        context
            .export(labels::SESSION_EXPORT, secret.expose_mut())
            .map_err(|_| KeyError::Refused)?;
        Ok(SessionSecret::new(secret))
    }
}

/// X-Wing's encapsulated key: an ML-KEM-768 ciphertext and an X25519 public key.
const ENCAPPED_BYTES: usize = 1088 + 32;
