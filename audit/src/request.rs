//! The ids of requests, as the gateway makes them.

use std::fmt;

/// 128 random bits; 32 lower-case hexadecimal digits as text.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub(crate) [u8; 16]);

impl RequestId {
    /// Reads an id. There is one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_hex(text.as_bytes().try_into().ok()?)
    }

    pub(crate) fn of_hex(digits: &[u8; 32]) -> Option<Self> {
        let mut id = [0; 16];
        let lower = !digits.iter().any(u8::is_ascii_uppercase);
        (lower && hex::decode_to_slice(digits, &mut id).is_ok()).then_some(Self(id))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
