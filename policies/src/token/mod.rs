//! From the bytes of a token to claims that an issuer vouches for.
//!
//! The library checks signatures and nothing else: its claim checks read the system's clock and
//! are weaker than RFC 8725 and RFC 9068 ask for. Every other check stands here, one by one.

mod claims;
mod header;
mod json;
mod jwks;
mod keys;
mod refusal;
mod remote;
mod supposed;
mod verify;
#[cfg(test)]
mod wycheproof;

pub(crate) use claims::{Claims, Times};
pub use jwks::JWKS_BYTES_MAX;
pub(crate) use jwks::{TokenKey, keys_from_jwks};
pub(crate) use keys::{IssuerKeys, KeySet};
pub use refusal::TokenRefusal;
pub use remote::RemoteIssuer;
pub use supposed::Supposed;
pub(crate) use verify::{Verified, verify};

/// A longer token is refused before a byte of it is decoded.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
