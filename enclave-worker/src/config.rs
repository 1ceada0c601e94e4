//! The worker's settings. Read before the sandbox closes; afterwards there is no file to read.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use sealgate_keys::key_file::{self, KeyFileError};
use serde::Deserialize;

use crate::sandbox::Level;
use crate::session::Voucher;

/// `worker.toml`. Unknown fields are refused.
///
/// ```
/// let config: sealgate_worker::Config = toml::from_str("threads = 2")?;
/// assert_eq!(config.rows_max.get(), 4096);
/// assert!(toml::from_str::<sealgate_worker::Config>("thread = 2").is_err());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Threads that infer, at most 256. Default: one per core.
    pub threads: NonZeroUsize,
    /// Requests that may wait for a thread; more are answered `busy`. Default: 1,024.
    pub queue_requests_max: NonZeroUsize,
    /// Rows one request may hold, whatever its grant says. Default: 4,096.
    pub rows_max: NonZeroUsize,
    /// Bytes that the rows of one request may take while they are scored and answered. A model whose
    /// rows take more gets fewer of them in one request; one of which not a single row fits is refused.
    /// Default: 268,435,456 (256 MiB).
    pub request_bytes_max: NonZeroUsize,
    /// Rows of several requests that are scored in one pass, at most. 1 scores each request by
    /// itself. Default: 256.
    pub batch_rows_max: NonZeroUsize,
    /// `require` refuses to run when an essential guard is missing, `report` says so and goes on.
    /// Default: `require`.
    pub sandbox: Level,
    /// Who vouches for this worker. Default: nobody.
    pub evidence: Option<EvidenceConfig>,
    /// Where a remote gateway is waited for; for `sealgate-worker-remote` alone, and required there.
    pub remote: Option<RemoteConfig>,
    /// Log level on stderr: `error`, `warn`, `info`, `debug` or `trace`. Default: `info`.
    pub log: Log,
    /// How its lines are written: `text`, or `json`, one object a line. Default: `text`.
    pub log_format: LogFormat,
}

/// `[remote]`. All files are read before the sandbox closes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The worker's certificate chain, PEM, leaf first.
    pub cert: PathBuf,
    /// Its key, PEM, mode 0600.
    pub key: PathBuf,
    /// The authority that gateways' certificates come from, PEM.
    pub gateway_ca: PathBuf,
    /// The one certificate of a gateway that is let in, PEM. The authority's word for another is not
    /// enough.
    pub gateway_cert: PathBuf,
}

/// `[evidence]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceConfig {
    /// `software`, the only kind that a worker can make by itself today.
    pub kind: EvidenceKind,
    /// The operator's Ed25519 key (PKCS#8), read before the sandbox closes. It should belong to an
    /// account that the gateway is not.
    pub key: PathBuf,
}

/// A kind of evidence that a worker can make.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// A signature by an operator's key.
    Software,
}

/// A log level.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Log {
    /// A bug, or a human is needed.
    Error,
    /// Refused or degraded.
    Warn,
    /// The life of the process.
    Info,
    /// Off in production.
    Debug,
    /// Everything, which still holds no row, token or score.
    Trace,
}

/// How the log's lines are written.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            queue_requests_max: at_least_one(1024),
            rows_max: at_least_one(4096),
            request_bytes_max: at_least_one(256 << 20),
            batch_rows_max: at_least_one(256),
            sandbox: Level::Require,
            evidence: None,
            remote: None,
            log: Log::Info,
            log_format: LogFormat::Text,
        }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = || path.to_path_buf();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { file: file(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Invalid { file: file(), source })?;
        if config.threads.get() > THREADS_MAX {
            return Err(ConfigError::TooManyThreads { file: file(), found: config.threads.get() });
        }
        Ok(config)
    }

    /// Who vouches for this worker, with the key read into memory.
    ///
    /// # Errors
    /// [`ConfigError`] when the key file cannot be read or holds no key.
    pub fn voucher(&self) -> Result<Voucher, ConfigError> {
        let Some(EvidenceConfig { kind: EvidenceKind::Software, key }) = &self.evidence else {
            return Ok(Voucher::Nobody);
        };
        let document = key_file::read(key)?;
        Voucher::operator(&document).map_err(|_| KeyFileError::NoKey(key.clone()).into())
    }
}

/// Why `worker.toml` was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read.
    #[error("cannot read `{file}`: {source}")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what this worker understands.
    #[error("`{file}`: {source}")]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Where and what.
        source: toml::de::Error,
    },
    /// The operator's key cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// More threads than make sense.
    #[error("`{file}`: `threads` is {found}, at most {THREADS_MAX} are allowed")]
    TooManyThreads {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: usize,
    },
}

const THREADS_MAX: usize = 256;

fn at_least_one(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN)
}
