//! Why there is no answer.

use std::time::Duration;

use thiserror::Error;

use crate::{AnswerRefusal, KeysRefusal, Refusal, SealedRefusal};

/// What went wrong between a program and its gateway.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL is not that of a gateway.
    #[error("`{url}` is not an https URL without path and query")]
    Url {
        /// What was given.
        url: String,
    },
    /// The authorities could not be read.
    #[error("the CA certificates are not usable PEM")]
    Authorities,
    /// The token cannot stand in a header.
    #[error("the token has characters that no token has")]
    Token,
    /// The name cannot be that of a model.
    #[error("`{model}` cannot be the name of a model")]
    Model {
        /// What was given.
        model: String,
    },
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The operating system gave no random bytes for a nonce.
    #[error("no randomness from the operating system")]
    Randomness,
    /// There was no connection: nobody listens, or it is not the gateway we trust.
    #[error("cannot connect to `{url}`")]
    Connect {
        /// The gateway's URL.
        url: String,
        /// The cause.
        source: hyper_util::client::legacy::Error,
    },
    /// The connection broke before the answer was whole.
    #[error("the connection broke before the answer was whole")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is larger than anything a gateway sends.
    #[error("the answer is larger than {max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// There was no answer in time.
    #[error("no answer within {} s", after.as_secs())]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// The gateway answered, and not with a score.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The worker opened the request and refused it.
    #[error("{}", .0.refusal)]
    WorkerRefused(Box<SealedRefusal>),
    /// The keys that were shown are none to seal to; nothing was sealed.
    #[error("nothing was sealed, for the keys shown are not trusted")]
    Keys(#[source] KeysRefusal),
    /// Two requests in a row, the second sealed to keys fetched in between, opened under none of
    /// the gateway's keys.
    #[error("the gateway's keys opened neither of two requests: {0}")]
    KeysSpent(Box<Refusal>),
    /// A batch cannot be cut among so many workers; nothing was sent.
    #[error("`{model}`: {wanted} different workers are needed, {found} were found")]
    Replicas {
        /// The model.
        model: String,
        /// How many shards there are.
        wanted: usize,
        /// How many different workers there are for them.
        found: usize,
    },
    /// Something came back that is not the sealed answer to what was sent.
    #[error("the answer is not trusted")]
    Answer(#[source] AnswerRefusal),
    /// The request cannot be sealed.
    #[error("the request cannot be sealed")]
    Seal(#[source] sealgate_keys::KeyError),
}
