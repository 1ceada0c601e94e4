//! Why there is no configuration.

use std::path::PathBuf;

use super::EngineName;
use crate::jwks::JwksError;
use crate::trace::TraceError;

/// Why `gateway.toml` was not taken. Exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It, or a file it names, could not be read.
    #[error("cannot read `{file}`: {source}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what this gateway understands.
    #[error("`{file}`: {source}")]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Where and what.
        source: toml::de::Error,
    },
    /// A setting is out of its bounds.
    #[error("{0}")]
    Setting(String),
    /// The worker's binary is missing.
    #[error("no worker at `{program}`\nhint: {}", engine.build_command())]
    NoWorker {
        /// Where it was looked for.
        program: PathBuf,
        /// Whose.
        engine: EngineName,
    },
    /// `[jwks]` cannot be used.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// `[trace]` cannot be used.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The policy folder has mistakes.
    #[error("{0}")]
    Policies(String),
}
