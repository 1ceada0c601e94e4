//! The edge: TLS 1.3, HTTP/1.1 and HTTP/2, with a limit on everything and no ambiguous request let through.
//!
//! ```text
//! listener -> admission -> [PROXY v2] -> TLS handshake -> guard (HTTP/1 only) -> hyper -> service
//!   accept     caps, then      only from    under one        head and chunk        |        client address,
//!   loop       closed at once  a proxy      time-out         framing, strict       |        HTTP/2 check
//!                                                           linger (HTTP/1), body and streams (HTTP/2):
//!                                                           the answer arrives whole
//! ```
//!
//! - [`Edge`] owns the listener and the accept loop; [`EdgeConfig`] holds every limit with its unit and default.
//! - `guard` stands between TLS and hyper on HTTP/1 connections. hyper only ever sees whole request heads which
//!   `head` found to have one meaning (RFC 9112); anything else is answered 400 and the connection ends.
//! - `activity` knows since when a connection has been silent, so that slow connections end by themselves.
//! - [`TlsIdentity`] is asked by each handshake what to show; [`CertificateFiles`] sees to it that it is what lies
//!   in the files.
//! - [`ClientAddress`] in each request's extensions is the only address later code may believe.
//!
//! What is absent: the edge knows no token, no policy, no route, and reads no body. Body limits and request
//! time-outs belong to the router.

mod activity;
mod address;
mod admission;
mod body;
mod certificate;
mod chunked;
mod config;
mod connection;
mod counters;
mod error;
mod follower;
mod guard;
mod head;
mod http2;
mod identity;
mod linger;
mod listener;
mod proxy_protocol;
mod refusal;
mod reload;
mod service;
mod streams;

pub use address::{ClientAddress, client_address};
pub use body::RequestBody;
pub use certificate::Certificate;
pub use config::{EdgeConfig, EdgeLimits};
pub use counters::EdgeCounters;
pub use error::EdgeError;
pub use http2::refuse_ambiguous_h2;
pub use identity::TlsIdentity;
pub(crate) use identity::{private_key, provider};
pub use listener::Edge;
pub use reload::{CertificateFiles, Reload};
