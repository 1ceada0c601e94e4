//! The library a Rust program uses to ask a gateway for scores.
//!
//! [`Client`] speaks to one gateway: TLS 1.3, the certificate authorities it was given and no
//! others, no redirects, and a limit on the time and the size of every answer.
//!
//! ```no_run
//! use sealgate_client::{Client, ClientError};
//!
//! # async fn example(ca_pem: &[u8], token: &str) -> Result<(), ClientError> {
//! let client = Client::new("https://gateway.example.org", ca_pem, token)?;
//! let body = br#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[0.5,1.5]}]}"#;
//! match client.infer_v2("risk", body.to_vec()).await {
//!     Ok(answer) => assert!(answer.body.starts_with(b"{")),
//!     Err(ClientError::Refused(refusal)) => eprintln!("{refusal}"),
//!     Err(other) => return Err(other),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What is absent: a way to trust a server without its authority, a way to send a token in the
//! clear, and any log line.

mod answer;
mod client;
mod error;
mod tls;

pub use answer::{ANSWER_BYTES_MAX, Answer, Refusal};
pub use client::{Client, TIME_MAX};
pub use error::ClientError;
