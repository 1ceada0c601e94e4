//! Model files at rest: sealed under a key of their own, which key-encryption keys (KEKs) wrap.
//!
//! A sealed file is
//! `"sealgate sealed model 1\n" || u32 header length || header || u32 wraps length || wraps || chunks`,
//! lengths big-endian, header and wraps canonical JSON (RFC 8785). `docs/protocol.md` has it bit by
//! bit.
//!
//! - **DEK**: 256 random bits, one for each file. HKDF-SHA256 (RFC 5869) makes two things of it, by
//!   a label each: the chunks' key, and a commitment that stands in the header. AES-GCM alone does
//!   not commit: one ciphertext can be made to open under two keys, to two models. The commitment
//!   is compared before any chunk is opened.
//! - **Chunks**: 64 KiB each under AES-256-GCM, by the STREAM construction (Hoang, Reyhanitabar,
//!   Rogaway, Vizár: *Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance*, CRYPTO
//!   2015): the nonce is an 11-byte counter and a byte that is 1 for the last chunk alone. So none
//!   can be dropped, swapped or added, and the file cannot end early. The header is AAD.
//! - **Wraps**: for each KEK the DEK under it, bound to the header. [`rewrap`] changes these and
//!   nothing else: keys are rotated without opening a model.
//!
//! What needs no key: the artifact's length and SHA-256 (its identity, which is public), the ids of
//! the KEKs. Whoever has an artifact can tell that a sealed file is it.
//!
//! ```
//! use sealgate_keys::at_rest::{KekProvider, KeyFileKek, SealedFile, seal};
//! use sealgate_keys::Secret;
//!
//! let kek = KeyFileKek::new(Secret::random()?);
//! let file = seal(b"an artifact", &[&kek])?;
//! assert!(!file.windows(8).any(|window| window == b"artifact"));
//!
//! let sealed = SealedFile::parse(&file)?;
//! let dek = sealed.unwrap(&kek)?;
//! assert_eq!(sealed.open(&dek)?.expose(), b"an artifact");
//! # Ok::<(), sealgate_keys::KeyError>(())
//! ```

mod dek;
mod header;
mod key_file_kek;
mod passphrase;
mod provider;
mod rewrap;
mod seal;
mod sealed_file;
mod stream;
mod wrap;
mod wrapping;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod vectors;

pub use dek::Dek;
pub use key_file_kek::KeyFileKek;
pub use passphrase::{Argon2Cost, PassphraseKek};
pub use provider::{FileIdentity, KekProvider};
pub use rewrap::{OldWrap, rewrap};
pub use seal::seal;
pub use sealed_file::{SealedFile, is_sealed};
pub use wrap::{Parameter, WRAPS_MAX, Wrap};

/// How a sealed file begins.
pub const MAGIC: &[u8] = b"sealgate sealed model 1\n";
/// The longest artifact that is sealed: as long as one may be.
pub const CLEAR_BYTES_MAX: usize = 256 << 20;
/// The longest sealed file, for whoever reads one from a disk.
pub const SEALED_BYTES_MAX: usize = MAGIC.len()
    + 4
    + header::HEADER_BYTES_MAX
    + 4
    + wrap::WRAPS_BYTES_MAX
    + stream::sealed_bytes(CLEAR_BYTES_MAX);
