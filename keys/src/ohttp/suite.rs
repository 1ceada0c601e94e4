use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Algorithm, CHACHA20_POLY1305};

/// A key encapsulation mechanism (RFC 9180, section 7.1, and the HPKE registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kem {
    /// X-Wing, 0x647A: ML-KEM-768 and X25519 at once.
    XWing,
    /// DHKEM(X25519, HKDF-SHA256), 0x0020.
    X25519,
}

impl Kem {
    /// Both, strongest first: the order of our key lists.
    pub const ALL: [Self; 2] = [Self::XWing, Self::X25519];

    /// The registered identifier.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::XWing => 0x647a,
            Self::X25519 => 0x0020,
        }
    }

    /// The mechanism with this identifier, if we speak it.
    #[must_use]
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            0x647a => Some(Self::XWing),
            0x0020 => Some(Self::X25519),
            _ => None,
        }
    }

    /// Bytes of a public key.
    #[must_use]
    pub const fn public_key_bytes(self) -> usize {
        match self {
            Self::XWing => 1216,
            Self::X25519 => 32,
        }
    }

    /// Bytes of an encapsulated key.
    #[must_use]
    pub const fn encapsulated_bytes(self) -> usize {
        match self {
            Self::XWing => 1120,
            Self::X25519 => 32,
        }
    }
}

/// An AEAD (RFC 9180, section 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aead {
    /// AES-256-GCM, 0x0002.
    Aes256Gcm,
    /// AES-128-GCM, 0x0001.
    Aes128Gcm,
    /// ChaCha20-Poly1305, 0x0003.
    ChaCha20Poly1305,
}

impl Aead {
    /// All, strongest first: the order of our key lists.
    pub const ALL: [Self; 3] = [Self::Aes256Gcm, Self::Aes128Gcm, Self::ChaCha20Poly1305];

    /// The registered identifier.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Aes128Gcm => 1,
            Self::Aes256Gcm => 2,
            Self::ChaCha20Poly1305 => 3,
        }
    }

    /// The AEAD with this identifier, if we speak it.
    #[must_use]
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            1 => Some(Self::Aes128Gcm),
            2 => Some(Self::Aes256Gcm),
            3 => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// Bytes of a key, Nk.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes of a response nonce: `max(Nn, Nk)` (RFC 9458, section 4.4).
    #[must_use]
    pub const fn response_nonce_bytes(self) -> usize {
        // Nn is 12 for all three.
        self.key_bytes()
    }

    pub(crate) fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes128Gcm => &AES_128_GCM,
            Self::Aes256Gcm => &AES_256_GCM,
            Self::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        }
    }
}

/// Bytes of a sealed request's header.
pub const HEADER_BYTES: usize = 7;
/// HKDF-SHA256, the only KDF here (RFC 9180, section 7.2).
pub(crate) const KDF_ID: u16 = 1;

/// The header of a sealed request: key id, KEM, KDF, AEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which key it is sealed to.
    pub key_id: u8,
    /// Its mechanism.
    pub kem: Kem,
    /// The AEAD the client chose.
    pub aead: Aead,
}

impl Header {
    /// The seven bytes.
    #[must_use]
    pub const fn encode(self) -> [u8; HEADER_BYTES] {
        let [k0, k1] = self.kem.id().to_be_bytes();
        let [d0, d1] = KDF_ID.to_be_bytes();
        let [a0, a1] = self.aead.id().to_be_bytes();
        [self.key_id, k0, k1, d0, d1, a0, a1]
    }

    /// Reads the header at the start of a sealed request; nothing for one we do not speak.
    #[must_use]
    pub fn read(message: &[u8]) -> Option<Self> {
        let [key_id, k0, k1, d0, d1, a0, a1] = *message.first_chunk()?;
        if u16::from_be_bytes([d0, d1]) != KDF_ID {
            return None;
        }
        Some(Self {
            key_id,
            kem: Kem::from_id(u16::from_be_bytes([k0, k1]))?,
            aead: Aead::from_id(u16::from_be_bytes([a0, a1]))?,
        })
    }

    /// HPKE's `info` of the request: `"message/bhttp request" || 0 || header`.
    #[must_use]
    pub fn info(self) -> Vec<u8> {
        [b"message/bhttp request\0".as_slice(), &self.encode()].concat()
    }
}

/// HPKE's exporter context of the secret under an answer (RFC 9458, section 4.4).
#[must_use]
pub const fn response_secret_label() -> &'static [u8] {
    b"message/bhttp response"
}
