//! Client-sealed mode: judge, seal, send, open, check the receipt.
//!
//! Reading order: `client` is a request's way, `keys` what must hold before anything is sealed,
//! `message` what is sealed, `answer` and `receipt` what must hold before an answer is believed.

mod answer;
mod client;
mod demands;
mod keys;
mod message;
mod receipt;
mod receipt_file;
mod refusal;
mod shards;
mod shown;

pub use answer::{SealedAnswer, SealedRefusal};
pub use client::{KEYS_AGE_MAX, SealedClient};
pub use demands::Demands;
pub use keys::VerifiedKeys;
pub use receipt::{Checked, TIME_APART_MAX_S};
pub use receipt_file::ReceiptFile;
pub use refusal::{AnswerRefusal, KeysRefusal};
pub use shards::{SHARDS_MAX, Shard};
pub use shown::ShownKeyset;
