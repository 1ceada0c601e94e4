//! Why there is no answer.

use std::time::Duration;

use thiserror::Error;

use crate::Refusal;

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
    Refused(Refusal),
}
