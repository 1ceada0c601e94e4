//! What opens the pages.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::ReviewError;

/// 256 random bits in hex. Shown to one browser; compared in constant time only.
pub(super) struct Secret(Zeroizing<String>);

impl Secret {
    pub(super) fn new() -> Result<Self, ReviewError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| ReviewError::Randomness)?;
        Ok(Self(Zeroizing::new(hex::encode(*bytes))))
    }

    pub(super) fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// For the one browser that it is made for.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}
