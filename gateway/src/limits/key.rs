//! What counters are kept under: keyed hashes, so that neither memory nor file lists callers.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Who;

/// A caller and a model, or a tenant and a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

/// Makes keys under the store's salt.
pub struct Namer(Hmac<Sha256>);

impl Namer {
    /// The salt is kept in the store: a counter must have the same key after a restart.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn new(salt: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(salt).expect("32 bytes are a key for HMAC-SHA256"))
    }

    pub fn caller(&self, who: &Who<'_>) -> Key {
        self.key(b'c', [who.issuer, who.subject, who.model])
    }

    pub fn tenant(&self, who: &Who<'_>) -> Key {
        // A tenant's name is never empty.
        self.key(b't', ["", who.tenant.unwrap_or_default(), who.model])
    }

    fn key(&self, label: u8, parts: [&str; 3]) -> Key {
        let mut mac = self.0.clone();
        mac.update(&[label]);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        Key(*tag.first_chunk().unwrap_or(&[0; 16]))
    }
}

impl Key {
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_moves_a_letter_from_one_name_to_the_next_is_somebody_else() {
        let namer = Namer::new(&[7; 32]);
        let who = |issuer, subject| Who { issuer, subject, tenant: None, model: "m" };
        assert_ne!(namer.caller(&who("ab", "c")), namer.caller(&who("a", "bc")));
        assert_eq!(namer.caller(&who("ab", "c")), namer.caller(&who("ab", "c")));
    }
}
