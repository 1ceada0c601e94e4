use std::net::SocketAddr;
use std::path::PathBuf;

use sealgate_keys::KeyError;

/// What can go wrong between the gateway and a worker. For the operator; a client sees a code.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The binary could not be run.
    #[error("cannot start the worker `{program}`: {source}")]
    Start {
        /// The binary.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A worker on another host could not be reached, or is not the one it should be.
    #[error("no connection to the worker at {address}: {source}")]
    Connect {
        /// Where it should be.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Each worker on another host that is known has a session already, or none is known.
    #[error("no remote worker is free")]
    NoneFree,
    /// The parts of a split model speak over sockets that they are born with.
    #[error("a split model runs on this host alone")]
    SplitModel,
    /// A descriptor could not be passed on.
    #[error("cannot pass the worker its descriptors")]
    Descriptor,
    /// The worker runs another engine than the configuration names.
    #[error("the worker runs engine `{found}`, the configuration says `{expected}`")]
    Engine {
        /// What the configuration says.
        expected: String,
        /// What the worker says.
        found: String,
    },
    /// An essential guard does not hold, and the configuration requires all.
    #[error("the worker's sandbox is not enforced: {0}")]
    Sandbox(String),
    /// The worker's evidence was refused.
    #[error("the worker's evidence is refused: {0}")]
    Evidence(sealgate_attestation::Refusal),
    /// An admin has revoked the worker's measurement.
    #[error("the worker's measurement is revoked")]
    Revoked,
    /// All key ids are taken or rest.
    #[error("no two key ids are free: too many workers, or too many restarts within an hour")]
    NoKeyIds,
    /// The worker showed keys that are not for the model it was given.
    #[error("the worker showed keys for another model")]
    OtherModel,
    /// Keys could not be put on record, so they are not offered.
    #[error("cannot archive a keyset: {0}")]
    Archive(std::io::Error),
    /// The same in the audit log.
    #[error("cannot record a keyset: {0}")]
    Record(#[from] sealgate_audit::AppendError),
    /// The worker did not take the model.
    #[error("the worker refused the model: {0}")]
    Model(String),
    /// The worker broke the protocol.
    #[error("the worker broke the protocol: {0}")]
    Protocol(&'static str),
    /// Start-up took too long.
    #[error("the worker was not ready in time")]
    TooSlow,
    /// The session is over; the worker may have had the request.
    #[error("the worker is gone")]
    Lost,
    /// The session is over, and nothing of the request was given to its socket.
    #[error("the worker is gone and was not sent the request")]
    NotStarted,
    /// The worker's queue is full; it did not open the request.
    #[error("the worker's queue is full")]
    Busy,
    /// The worker has no key that opens what the client sealed; the word says why.
    #[error("the worker did not open the client's message: {0}")]
    Key(&'static str),
    /// The caller has used its share of the worker's key.
    #[error("the caller has used its share of the worker's key")]
    CallerShare,
    /// The worker did not accept the request's envelope.
    #[error("the worker refused the envelope")]
    Refused,
    /// Something sealed did not fit.
    #[error("the envelope failed: {0}")]
    Seal(#[from] KeyError),
    /// The socket failed.
    #[error("the hop's socket failed: {0}")]
    Socket(#[from] std::io::Error),
}

impl WorkerError {
    /// Whether the worker was judged and refused: what it shows or says of itself is not what it
    /// must be. The rest is about processes and sockets, and for operators alone.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Engine { .. }
                | Self::Sandbox(_)
                | Self::Evidence(_)
                | Self::Revoked
                | Self::OtherModel
                | Self::Model(_)
                | Self::Protocol(_)
                | Self::Seal(_)
        )
    }
}
