//! Oblivious HTTP (RFC 9458): what a client seals to a worker's own key.
//!
//! A request is `header (7) || encapsulated key || ciphertext`, an answer is
//! `response nonce || ciphertext`. Here are the shapes both sides share, the client's sealer of
//! requests and the opener of their one answer. The opener of requests is in `enclave-worker`,
//! beside the secret keys it needs.

mod key_list;
mod request;
mod response;
mod suite;

pub use key_list::{KeyConfig, KeyList};
pub use request::seal;
pub use response::{OpenedResponse, ResponseOpener, ResponseSealer};
pub use suite::{Aead, HEADER_BYTES, Header, Kem, response_secret_label};

/// Media type of a sealed request.
pub const REQUEST_TYPE: &str = "message/ohttp-req";
/// Media type of its answer.
pub const RESPONSE_TYPE: &str = "message/ohttp-res";
/// Media type of a key list.
pub const KEYS_TYPE: &str = "application/ohttp-keys";
/// The problem type (RFC 9457) of a key that is not, or no longer, the gateway's.
pub const KEY_PROBLEM: &str = "https://iana.org/assignments/http-problem-types#ohttp-key";
/// The problem type of a request whose `Date` is too far from now.
pub const DATE_PROBLEM: &str = "https://iana.org/assignments/http-problem-types#date";
