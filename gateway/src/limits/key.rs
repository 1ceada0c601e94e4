//! What counters are kept under: keyed hashes, so that neither memory nor file lists callers.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::Who;

/// A caller and a model, or a tenant and a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

/// Makes keys under the store's salt: SipHash-2-4 of 128 bits, which nobody can bring to collide
/// who does not know the salt.
pub struct Namer(SipHasher24);

impl Namer {
    /// The salt is kept in the store: a counter must have the same key after a restart.
    pub fn new(salt: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(salt))
    }

    pub fn caller(&self, who: &Who<'_>) -> Key {
        self.key(b'c', [who.issuer, who.subject, who.model])
    }

    pub fn tenant(&self, who: &Who<'_>) -> Key {
        // A tenant's name is never empty.
        self.key(b't', ["", who.tenant.unwrap_or_default(), who.model])
    }

    /// A key of three names; another label is another kind of key.
    pub fn key(&self, label: u8, parts: [&str; 3]) -> Key {
        let mut hasher = self.0;
        hasher.write(&[label]);
        for part in parts {
            hasher.write(&(part.len() as u64).to_be_bytes());
            hasher.write(part.as_bytes());
        }
        Key(hasher.finish128().as_bytes())
    }
}

impl Key {
    /// One that was kept.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_moves_a_letter_from_one_name_to_the_next_is_somebody_else() {
        let namer = Namer::new(&[7; 16]);
        let who = |issuer, subject| Who { issuer, subject, tenant: None, model: "m" };
        assert_ne!(namer.caller(&who("ab", "c")), namer.caller(&who("a", "bc")));
        assert_eq!(namer.caller(&who("ab", "c")), namer.caller(&who("ab", "c")));
    }
}
