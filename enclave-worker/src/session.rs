//! The worker's side of the hop's handshake. The secret key is born here and dies here.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable, Kem, OpModeR, PskBundle, Serializable, setup_receiver};
use sealgate_keys::evidence::{Evidence, NoncePath, Purpose, report_data, software_message};
use sealgate_keys::hop::{Hello, Identity, session_info};
use sealgate_keys::{Base64, HopPsk, KeyError, Secret, SessionSecret, labels};

/// A key pair for one connection, and the hello that shows its public half.
///
/// [`HopKey::accept`] consumes it: once the session stands, the secret key is gone.
///
/// ```compile_fail
/// let key = sealgate_worker::HopKey::generate(sealgate_worker::SelfDescription::default());
/// println!("{:?}", key);
/// ```
/// ```compile_fail
/// let key = sealgate_worker::HopKey::generate(sealgate_worker::SelfDescription::default());
/// let copy = key.clone();
/// ```
pub struct HopKey {
    secret: <XWing as Kem>::PrivateKey,
    identity: Identity,
}

/// What a worker says of itself beside its keys.
#[derive(Debug, Clone, Default)]
pub struct SelfDescription {
    /// The engine: `flex` or `ndarray`.
    pub engine: String,
    /// How many threads infer.
    pub threads: u16,
    /// SHA-256 of the program file.
    pub build_digest: [u8; 32],
    /// Each guard and how it stands, in words.
    pub sandbox: Vec<String>,
    /// Whether every essential guard holds.
    pub enforced: bool,
}

impl SelfDescription {
    /// Name and version of the build.
    pub(crate) const fn build(&self) -> &'static str {
        concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"))
    }
}

impl HopKey {
    /// A fresh pair, from the operating system's randomness.
    #[must_use]
    pub fn generate(of: SelfDescription) -> Self {
        let (secret, public) = XWing::gen_keypair();
        let identity = Identity {
            version: labels::HOP_VERSION,
            hop_key: public.to_bytes().to_vec(),
            build: of.build().to_owned(),
            engine: of.engine,
            threads: of.threads,
            build_digest: of.build_digest,
            sandbox: of.sandbox,
            enforced: of.enforced,
        };
        Self { secret, identity }
    }

    /// Who this worker is for this connection.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What to show the gateway: the identity, and evidence for it that answers `nonce`.
    ///
    /// # Errors
    /// [`KeyError`] when the evidence cannot be made.
    pub fn hello(&self, voucher: &Voucher, nonce: &[u8; 32]) -> Result<Hello, KeyError> {
        let root = NoncePath::alone().root(nonce).ok_or(KeyError::Refused)?;
        let data = report_data(Purpose::Hop, &self.identity.digest(), &root);
        Ok(Hello { identity: self.identity.clone(), evidence: voucher.vouch(&data)? })
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
        let info = session_info(&self.identity.digest());
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

/// Who vouches for a worker: nobody but the one who started it, or an operator's key.
///
/// ```compile_fail
/// println!("{:?}", sealgate_worker::Voucher::Nobody);
/// ```
pub enum Voucher {
    /// No evidence.
    Nobody,
    /// Software evidence under this key.
    Operator(Ed25519KeyPair),
}

impl Voucher {
    /// An operator's key from its file's PKCS#8 document (RFC 8410).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] when it is none.
    pub fn operator(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let key = Ed25519KeyPair::from_pkcs8(pkcs8);
        key.map(Self::Operator).map_err(|_| KeyError::Malformed("operator key"))
    }

    /// Evidence that binds `report_data`, as JSON.
    pub(crate) fn vouch(&self, report_data: &[u8; 64]) -> Result<Vec<u8>, KeyError> {
        let evidence = self.evidence(report_data)?;
        serde_json::to_vec(&evidence).map_err(|_| KeyError::Malformed("evidence"))
    }

    /// Whether `evidence` is this very voucher's over `report_data`. When it was made is not asked:
    /// the key that it speaks of lives as long as its process.
    pub(crate) fn vouches_for(&self, report_data: &[u8; 64], evidence: &[u8]) -> bool {
        let Self::Operator(own) = self else { return true };
        let Ok(Evidence::Software { issued_at_s, key, signature }) =
            serde_json::from_slice(evidence)
        else {
            return false;
        };
        let message = software_message(report_data, issued_at_s);
        let public = UnparsedPublicKey::new(&ED25519, own.public_key().as_ref());
        key.0 == own.public_key().as_ref() && public.verify(&message, &signature.0).is_ok()
    }

    fn evidence(&self, report_data: &[u8; 64]) -> Result<Evidence, KeyError> {
        let Self::Operator(key) = self else { return Ok(Evidence::None {}) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| KeyError::Refused)?;
        let issued_at_s = now.as_secs();
        let signature = key.try_sign(&software_message(report_data, issued_at_s));
        let signature = signature.map_err(|_| KeyError::Refused)?;
        Ok(Evidence::Software {
            issued_at_s,
            key: Base64(key.public_key().as_ref().to_vec()),
            signature: Base64(signature.as_ref().to_vec()),
        })
    }
}

/// X-Wing's encapsulated key: an ML-KEM-768 ciphertext and an X25519 public key.
const ENCAPPED_BYTES: usize = 1088 + 32;
