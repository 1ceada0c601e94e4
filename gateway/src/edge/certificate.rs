//! What everybody may know of the gateway's certificate.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_cert::der::Decode;

/// A certificate's name and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of it, as browsers and `openssl x509 -fingerprint -sha256` name it.
    pub digest: [u8; 32],
    /// From when it counts, in seconds since 1970.
    pub not_before_s: u64,
    /// Until when, that second included.
    pub not_after_s: u64,
}

impl Certificate {
    pub(super) fn parse(leaf: &CertificateDer<'_>) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(leaf).ok()?;
        let validity = parsed.tbs_certificate().validity();
        let seconds = |since: Duration| since.as_secs();
        Some(Self {
            digest: Sha256::digest(leaf).into(),
            not_before_s: seconds(validity.not_before.to_unix_duration()),
            not_after_s: seconds(validity.not_after.to_unix_duration()),
        })
    }

    /// Whether clients can be expected to take it now.
    #[must_use]
    pub const fn is_valid_at(&self, now_s: u64) -> bool {
        self.not_before_s <= now_s && now_s <= self.not_after_s
    }
}
