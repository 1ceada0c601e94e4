//! What is sealed, signed or wrapped, and with which key.
//!
//! This crate is the part of Sealgate's cryptography that both sides of the hop between gateway
//! and worker share: the session's key schedule, the envelope, the grant that rides on it, the
//! binary HTTP message inside; and model files at rest ([`at_rest`]). It seals requests and opens answers. It has **no opener of
//! requests**: that type exists in `enclave-worker` alone, beside the secret key it needs.
//!
//! All primitives come from well-kept crates: HPKE (RFC 9180) with X-Wing from `hpke`,
//! AES-256-GCM from `aes-gcm`, HKDF-SHA256 (RFC 5869) from `hkdf`.
//!
//! ```
//! use std::time::Instant;
//!
//! use sealgate_keys::{Action, Grant, Mode, ReleaseProfile, RequestSealer, SessionSecret};
//!
//! // In the product the secret is exported from an HPKE session: see `hop`.
//! let sealer = RequestSealer::new(&SessionSecret::from_bytes([7; 32]), Instant::now());
//! let grant = Grant {
//!     request_id: [1; 16],
//!     caller: "c-17".into(),
//!     tenant: "general-hospital".into(),
//!     model: "breast-cancer".into(),
//!     version: None,
//!     action: Action::Infer,
//!     rows_reserved: 32,
//!     declared_fields: vec![],
//!     release: ReleaseProfile::Full,
//!     policy_digest: [2; 32],
//!     mode: Mode::GatewaySealed,
//!     ciphertext_sha256: None,
//!     valid_ms: 10_000,
//!     batch_across_tenants: false,
//! };
//! let (frame, opener) = sealer.seal(&grant, b"a padded binary HTTP message", Instant::now())?;
//! assert!(!frame.windows(6).any(|window| window == b"padded"));
//! # drop(opener); // opens the one answer that fits
//! # Ok::<(), sealgate_keys::KeyError>(())
//! ```

mod aead;
mod answer;
pub mod at_rest;
mod base64_bytes;
mod canonical;
mod commitment;
pub mod control;
mod error;
pub mod evidence;
pub mod frame;
mod grant;
pub mod grpc;
pub mod hop;
pub mod key_file;
mod keyset;
pub mod labels;
pub mod link;
mod message;
pub mod ohttp;
mod outcome;
pub mod receipt;
mod release;
mod request;
mod schedule;
mod secret;
#[cfg(test)]
mod vectors;

pub use aead::{KEY_BYTES, SealingKey, TAG_BYTES};
pub use answer::{ANSWER_NONCE_BYTES, AnswerOpener, OpenedAnswer, answer_key};
pub use base64_bytes::Base64;
pub use commitment::{CommittedTensor, Direction, commit};
pub use error::KeyError;
pub use grant::{Action, Grant, Mode};
pub use keyset::{Keyset, KeysetModel};
pub use message::{
    COMMITMENT_KEY_HEADER, Cleartext, InnerAnswer, InnerHeader, InnerRequest, JSON_BYTES_HEADER,
    RECEIPT_HEADER, bucket, inner_header,
};
pub use outcome::Outcome;
pub use release::{Head, ReleaseProfile, Uncut, UnknownProfile};
pub use request::{RequestSealer, WRAPPED_DEK_BYTES, aad};
pub use schedule::{Epoch, EpochKeys, SessionSecret};
pub use secret::{HopPsk, Secret};
