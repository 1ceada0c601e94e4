use sealgate_keys::KeyError;

use crate::config::ConfigError;
use crate::sandbox::SandboxError;

/// Why a worker ends other than by its gateway closing the socket.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An essential guard is missing.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// stdin is not a socket, or there is no secret on descriptor 3.
    #[error(
        "a worker is started by a gateway, with a socket as stdin and a secret on descriptor 3: {0}"
    )]
    NotStartedByGateway(std::io::Error),
    /// `[remote]` is for the other binary.
    #[error("`[remote]` is for `sealgate-worker-remote`: a gateway starts this worker itself")]
    NotForRemote,
    /// No gateway can be waited for.
    #[error("cannot wait for a gateway: {0}")]
    Listen(String),
    /// The program's own file could not be read.
    #[error("cannot read the worker's own program: {0}")]
    Program(std::io::Error),
    /// The gateway did not prove that it holds the secret, or something sealed did not verify.
    #[error("the gateway's message was refused")]
    Key(#[from] KeyError),
    /// The gateway broke the protocol.
    #[error("the gateway broke the hop's protocol")]
    Protocol,
    /// A thread could not be started or ended early.
    #[error("an inference thread is missing")]
    Thread,
    /// Another part of the model is gone, and with it the model.
    #[error("a part of the model is gone")]
    PartLost,
    /// The socket failed.
    #[error("the hop's socket failed: {0}")]
    Socket(#[from] std::io::Error),
}

impl WorkerError {
    /// 78 for a bad configuration or environment (`EX_CONFIG`), 1 otherwise.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Sandbox(_)
            | Self::NotStartedByGateway(_)
            | Self::NotForRemote
            | Self::Listen(_)
            | Self::Program(_) => 78,
            _ => 1,
        }
    }
}
