use axum::http::{HeaderName, HeaderValue};

/// A request's id: 128 random bits of ours, the only thing that log, audit record and answer share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    bytes: [u8; 16],
    hex: [u8; 32],
}

impl RequestId {
    /// The header field that carries it.
    pub const HEADER: HeaderName = HeaderName::from_static("sealgate-request-id");

    /// A fresh one.
    ///
    /// # Errors
    /// When the operating system has no randomness; nothing is served without.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        let mut hex = [0; 32];
        // Both lengths are fixed, so encoding cannot fail.
        let _ = hex::encode_to_slice(bytes, &mut hex);
        Ok(Self { bytes, hex })
    }

    /// The bytes, for the grant.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 16] {
        self.bytes
    }

    /// A number that no caller chooses, for what is to be shared out by chance.
    #[must_use]
    pub const fn draw(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.bytes;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Lower-case hexadecimal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.hex).unwrap_or_default()
    }

    /// As a header field's value.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.hex).unwrap_or(HeaderValue::from_static("-"))
    }
}
