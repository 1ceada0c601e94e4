//! Why there are no new keys.

use sealgate_policies::{JWKS_BYTES_MAX, Mistakes};

use crate::authorities::AuthoritiesError;

/// Why keys could not be fetched or kept. For the operator alone.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// `ca_file` cannot be used.
    #[error("`jwks.ca_file`: {0}")]
    Authorities(#[from] AuthoritiesError),
    /// The TLS library refuses its own settings.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// `jwks_url` is no address.
    #[error("`jwks_url` is not an address")]
    Address,
    /// No connection, or not to who it should be.
    #[error("the issuer cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the issuer did not answer in time")]
    TimedOut,
    /// The issuer points elsewhere: a key set lies where the admin says, and nowhere else.
    #[error(
        "the issuer answers with a redirect\nhint: write the address it points to as `jwks_url`"
    )]
    Redirect,
    /// Any other status but 200.
    #[error("the issuer answers with status {0}")]
    Status(u16),
    /// The connection broke in the middle of the answer.
    #[error("the issuer's answer broke off")]
    Broken,
    /// More than any key set has.
    #[error("the issuer's answer is larger than {JWKS_BYTES_MAX} bytes")]
    TooLarge,
    /// Not UTF-8.
    #[error("the issuer's answer is not text")]
    NotText,
    /// It is not a key set that the policy takes.
    #[error("{0}")]
    Keys(Mistakes),
}

impl JwksError {
    /// Its word in records.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Authorities(_) => "ca_file",
            Self::Tls(_) => "tls",
            Self::Address => "address",
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Redirect => "redirect",
            Self::Status(_) => "status",
            Self::Broken => "broken_off",
            Self::TooLarge => "too_large",
            Self::NotText => "not_text",
            Self::Keys(_) => "keys_refused",
        }
    }
}
