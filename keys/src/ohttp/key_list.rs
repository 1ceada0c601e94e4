use sha2::{Digest, Sha256};

use super::suite::{Aead, KDF_ID, Kem};
use crate::KeyError;

/// One key of a key list (RFC 9458, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyConfig {
    /// The id that requests name.
    pub key_id: u8,
    /// The mechanism.
    pub kem: Kem,
    /// The public key.
    pub public_key: Vec<u8>,
    /// The AEADs it may be used with, all with HKDF-SHA256.
    pub aeads: Vec<Aead>,
}

/// `application/ohttp-keys`: each key after its length in two bytes (RFC 9458, section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyList(pub Vec<KeyConfig>);

impl KeyList {
    /// The longest list that is read.
    pub const BYTES_MAX: usize = 64 << 10;

    /// The list's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for config in &self.0 {
            let bytes = config.encode();
            out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(&bytes);
        }
        out
    }

    /// Reads a list. Keys and suites that we do not speak are left out, as the RFC asks; anything
    /// malformed refuses the whole list.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn decode(mut bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() > Self::BYTES_MAX {
            return Err(MALFORMED);
        }
        let mut configs = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (config, rest) = rest.split_at_checked(length).ok_or(MALFORMED)?;
            configs.extend(KeyConfig::decode(config)?);
            bytes = rest;
        }
        Ok(Self(configs))
    }

    /// SHA-256 over the list's bytes as they came: what the keyset names.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    /// The key of this mechanism.
    #[must_use]
    pub fn key(&self, kem: Kem) -> Option<&KeyConfig> {
        self.0.iter().find(|config| config.kem == kem)
    }
}

impl KeyConfig {
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.key_id];
        out.extend_from_slice(&self.kem.id().to_be_bytes());
        out.extend_from_slice(&self.public_key);
        let algorithms = u16::try_from(self.aeads.len() * 4).unwrap_or(u16::MAX);
        out.extend_from_slice(&algorithms.to_be_bytes());
        for aead in &self.aeads {
            out.extend_from_slice(&KDF_ID.to_be_bytes());
            out.extend_from_slice(&aead.id().to_be_bytes());
        }
        out
    }

    /// One configuration; none when its mechanism, or every suite of it, is unknown to us.
    fn decode(bytes: &[u8]) -> Result<Option<Self>, KeyError> {
        let ([key_id, k0, k1], rest) = bytes.split_first_chunk().ok_or(MALFORMED)?;
        // Of an unknown mechanism not even the key's length is known.
        let Some(kem) = Kem::from_id(u16::from_be_bytes([*k0, *k1])) else { return Ok(None) };
        let (public_key, rest) = rest.split_at_checked(kem.public_key_bytes()).ok_or(MALFORMED)?;
        let (length, algorithms) = rest.split_first_chunk().ok_or(MALFORMED)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length != algorithms.len() || length < 4 || length % 4 != 0 {
            return Err(MALFORMED);
        }
        let aeads: Vec<Aead> = algorithms.chunks_exact(4).filter_map(suite).collect();
        let known = !aeads.is_empty();
        let config = Self { key_id: *key_id, kem, public_key: public_key.to_vec(), aeads };
        Ok(known.then_some(config))
    }
}

fn suite(bytes: &[u8]) -> Option<Aead> {
    let [d0, d1, a0, a1] = *bytes.first_chunk()?;
    let ours = u16::from_be_bytes([d0, d1]) == KDF_ID;
    ours.then(|| Aead::from_id(u16::from_be_bytes([a0, a1]))).flatten()
}

const MALFORMED: KeyError = KeyError::Malformed("key list");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn list() -> KeyList {
        let config = |key_id, kem: Kem| KeyConfig {
            key_id,
            kem,
            public_key: vec![key_id; kem.public_key_bytes()],
            aeads: Aead::ALL.to_vec(),
        };
        KeyList(vec![config(1, Kem::XWing), config(2, Kem::X25519)])
    }

    #[test]
    fn a_list_comes_back_as_it_went() {
        assert_eq!(KeyList::decode(&list().encode()).unwrap(), list());
    }

    #[test]
    fn every_cut_of_a_list_is_refused_or_a_shorter_list() {
        let bytes = list().encode();
        let first = 2 + 3 + 1216 + 2 + 12;
        for end in 1..bytes.len() {
            let read = KeyList::decode(&bytes[..end]);
            assert_eq!(read.is_ok(), end == first, "cut at {end}");
        }
    }

    #[test]
    fn unknown_mechanisms_and_suites_are_left_out() {
        let mut unknown_kem = list();
        let mut bytes = unknown_kem.encode();
        bytes[3] = 0x70;
        unknown_kem.0.remove(0);
        assert_eq!(KeyList::decode(&bytes).unwrap(), unknown_kem);

        let mut fewer = KeyList(vec![list().0.remove(1)]);
        let mut bytes = fewer.encode();
        let last = bytes.len() - 1;
        bytes[last] = 9;
        fewer.0[0].aeads.pop();
        assert_eq!(KeyList::decode(&bytes).unwrap(), fewer);
    }

    #[test]
    fn the_appendix_key_configuration_is_read_and_written() {
        // RFC 9458, appendix A.
        let config = "01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003";
        let bytes = hex::decode(config).unwrap();
        let read = KeyConfig::decode(&bytes).unwrap().unwrap();
        assert_eq!((read.key_id, read.kem), (1, Kem::X25519));
        assert_eq!(read.aeads, [Aead::Aes128Gcm, Aead::ChaCha20Poly1305]);
        assert_eq!(read.encode(), bytes);
    }
}
