//! The library a Rust program uses to ask a gateway for scores.
//!
//! Two clients, one for each mode. Both speak TLS 1.3 to the certificate authorities they were
//! given and no others, follow no redirect, and bound the time and the size of every answer.
//!
//! [`SealedClient`] judges the worker's evidence, seals to the worker's own key and checks the
//! receipt of the answer; the gateway passes what it cannot read. What it demands comes from its
//! own configuration ([`Demands`]):
//!
//! ```no_run
//! use sealgate_client::{Demands, Kind, SealedClient, Trust};
//!
//! # async fn example(ca_pem: &[u8], token: &str, operator: [u8; 32]) -> Result<(), sealgate_client::ClientError> {
//! let trust = Trust {
//!     accept: vec![Kind::Software],
//!     software_keys: vec![operator],
//!     evidence_age_max_s: 300,
//!     ..Trust::default()
//! };
//! let url = "https://gateway.example.org";
//! let client = SealedClient::new(url, ca_pem, token, Demands::new(trust))?;
//! let body = br#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[0.5,1.5]}]}"#;
//! let answer = client.infer_v2("risk", body.to_vec(), Some(1)).await?;
//! assert_eq!(answer.receipt.mode, "client-sealed");
//! # Ok(())
//! # }
//! ```
//!
//! [`Client`] leaves the sealing to the gateway:
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
//! Rows may go as text or as a tensor of four bytes to a number: [`Body::binary`]. Answers are read
//! in either form by [`Answer::output`] and [`SealedAnswer::output`].
//!
//! What is absent: a way to trust a server without its authority, a way to send a token in the
//! clear, a way from [`SealedClient`] to an unsealed request, and any log line.

mod admin;
mod answer;
mod body;
mod client;
mod error;
mod gateway;
mod sealed;
mod tensor;
mod tls;

pub use admin::AdminClient;
pub use answer::{ANSWER_BYTES_MAX, Answer, Refusal};
pub use body::Body;
pub use client::Client;
pub use error::ClientError;
pub use gateway::TIME_MAX;
pub use sealed::{
    AnswerRefusal, Checked, Demands, KEYS_AGE_MAX, KeysRefusal, ReceiptFile, SHARDS_MAX,
    SealedAnswer, SealedClient, SealedRefusal, Shard, ShownKeyset, TIME_APART_MAX_S, VerifiedKeys,
};
pub use tensor::Tensor;
// What the demands are made of.
pub use sealgate_attestation::{Kind, Measurements, Trust, Verdict};
pub use sealgate_keys::ohttp::Kem;
