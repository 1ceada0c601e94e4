//! The gateway's settings. Read and checked before any port is bound.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sealgate_policies::Profile;
use serde::Deserialize;

use crate::attestation::AttestationConfig;
use crate::edge::EdgeConfig;
use crate::jwks::{JwksConfig, JwksError};
use crate::worker::KeyLife;

/// `gateway.toml`. Unknown fields are refused; secrets are named by path only.
///
/// There is no field that turns sealing, policy or audit off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `production`, or `dev`, which alone accepts issuers and keys marked for development and
    /// binds to loopback only. Default: `production`.
    #[serde(default = "production")]
    pub profile: ProfileName,
    /// The policy folder.
    pub policies: PathBuf,
    /// The model that `/invocations` asks.
    pub default_model: String,
    /// Lets the `dev` profile listen on other than loopback addresses. Default: false.
    #[serde(default)]
    pub unsafe_remote: bool,
    /// Where to listen, as whom, and how much to bear.
    pub edge: EdgeConfig,
    /// Where the record is kept.
    pub audit: AuditConfig,
    /// What the gateway signs its refusals with.
    pub receipts: ReceiptsConfig,
    /// How workers are started.
    pub worker: WorkerConfig,
    /// The keys that clients seal to.
    #[serde(default)]
    pub client_keys: ClientKeysConfig,
    /// What evidence workers must show. Default: none, as `AttestationConfig` says.
    #[serde(default)]
    pub attestation: Option<AttestationConfig>,
    /// Where issuers' keys come from that are not in the policy folder.
    #[serde(default)]
    pub jwks: JwksConfig,
    /// The models that are served.
    pub models: Vec<ModelConfig>,
    /// Limits of requests.
    #[serde(default)]
    pub requests: RequestLimits,
    /// What callers have asked of their limits.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Log level on stderr: `error`, `warn`, `info`, `debug` or `trace`. Default: `info`.
    #[serde(default = "info")]
    pub log: String,
}

/// `dev` or `production`.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ProfileName {
    /// For trying out: dev issuers count, and only loopback is listened on.
    Dev,
    /// For everything else.
    Production,
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// The log's folder; nothing else may lie in it.
    pub dir: PathBuf,
    /// The Ed25519 key that signs checkpoints (PKCS#8); made when missing.
    pub key: PathBuf,
    /// A second place for the latest checkpoint; another account or host is best. Default: none.
    #[serde(default)]
    pub checkpoint_copy: Option<PathBuf>,
    /// The log's name in its checkpoints. Default: `sealgate.local/audit`.
    #[serde(default = "origin")]
    pub origin: String,
    /// Bytes that must stay free on the log's disk; below it requests are refused.
    /// Default: 67,108,864.
    #[serde(default = "low_water_bytes")]
    pub low_water_bytes: u64,
}

/// `[receipts]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptsConfig {
    /// The Ed25519 key (PKCS#8) that signs receipts of refusals and nothing else; made when
    /// missing.
    pub key: PathBuf,
}

/// `[client_keys]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientKeysConfig {
    /// For how long a worker's keys are offered before it makes new ones, in seconds. Default: 900.
    pub active_s: u32,
    /// For how long they open requests after that, in seconds; then they are destroyed. A key list
    /// may be kept for four fifths of it. Default: 300.
    pub overlap_s: u32,
    /// Where each keyset is kept with its evidence. Default: beside the audit log's folder, with
    /// `-keysets` added to its name.
    pub archive: Option<PathBuf>,
}

impl Default for ClientKeysConfig {
    fn default() -> Self {
        Self { active_s: 900, overlap_s: 300, archive: None }
    }
}

/// `[limits]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// The file in which rows per day and month are counted; made when missing. Default: beside the
    /// audit log's folder, with `-limits` added to its name.
    pub store: Option<PathBuf>,
}

/// `[worker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// `worker.toml`, which the worker reads itself.
    pub config: PathBuf,
    /// `flex`, or `ndarray`, which runs on the engine that burn has deprecated. Default: `flex`.
    #[serde(default = "flex")]
    pub engine: EngineName,
    /// The worker's binary. Default: the engine's, beside the gateway's own.
    #[serde(default)]
    pub program: Option<PathBuf>,
    /// `require` gives a model only to a worker whose essential guards all hold; `report` to any.
    /// Default: `require`.
    #[serde(default = "require")]
    pub sandbox: Demand,
}

/// Which engine's worker.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// burn-flex: `sealgate-worker`.
    Flex,
    /// burn-ndarray: `sealgate-worker-ndarray`.
    Ndarray,
}

/// What is demanded of a worker's sandbox.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// All essential guards, or no model.
    Require,
    /// Whatever holds; the record says what.
    Report,
}

/// `[[models]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The name in paths and policies.
    pub name: String,
    /// The version.
    pub version: String,
    /// The artifact file.
    pub artifact: PathBuf,
    /// How many workers run it, each with keys of its own. Default: 1.
    #[serde(default = "one")]
    pub replicas: usize,
}

/// `[requests]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Bytes of a request body. Default: 4,194,304.
    pub body_bytes_max: usize,
    /// Bytes of bodies held at once over all requests; more are refused. Default: 268,435,456.
    pub body_bytes_in_flight_max: usize,
    /// Time from head to end of body, in milliseconds. Default: 10,000.
    pub body_timeout_ms: u64,
    /// Requests in flight at once, over all connections. Default: 512.
    pub in_flight_max: usize,
    /// Time for a worker's answer, in milliseconds; also the life of a grant. At most 30,000.
    /// Default: 10,000.
    pub answer_timeout_ms: u32,
    /// Verified tokens that are remembered, by their full hash. Default: 10,000.
    pub token_cache_entries: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 << 20,
            body_bytes_in_flight_max: 256 << 20,
            body_timeout_ms: 10_000,
            in_flight_max: 512,
            answer_timeout_ms: 10_000,
            token_cache_entries: 10_000,
        }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { file: path.into(), source })?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Invalid { file: path.into(), source })?;
        config.check()?;
        // Workers run in `/`: what they are told must not depend on where we were started.
        let worker = &mut config.worker;
        for path in worker.program.iter_mut().chain([&mut worker.config]) {
            *path = std::path::absolute(&*path)
                .map_err(|source| ConfigError::Unreadable { file: path.clone(), source })?;
        }
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.edge.check().map_err(|error| ConfigError::Setting(error.to_string()))?;
        let served = |name: &str| self.models.iter().filter(|m| m.name == name).count();
        let requests = &self.requests;
        let settings = [
            (!self.models.is_empty(), "at least one `[[models]]` is needed"),
            (
                self.models.iter().all(|model| served(&model.name) == 1),
                "each `[[models]]` needs a name of its own",
            ),
            (
                self.models.iter().all(|model| model.replicas >= 1)
                    && self.models.iter().map(|model| model.replicas).sum::<usize>() <= WORKERS_MAX,
                "`replicas` must be at least 1 each and 16 over all models",
            ),
            (
                (1..=43_200).contains(&self.client_keys.active_s)
                    && (1..=43_200).contains(&self.client_keys.overlap_s),
                "`client_keys.active_s` and `overlap_s` must be between 1 and 43200",
            ),
            (
                self.models.iter().map(|model| model.replicas as u128).sum::<u128>()
                    <= self.key_life().workers_max(),
                "so many workers with keys that live so short need more than the 256 key ids there \
                 are: make `client_keys.active_s` longer or `overlap_s` shorter",
            ),
            (self.jwks.is_sound(), "`jwks.refresh_s` must be between 60 and 86400"),
            (served(&self.default_model) == 1, "`default_model` must name one of `[[models]]`"),
            (
                (1..=BODY_BYTES_MAX).contains(&requests.body_bytes_max),
                "`requests.body_bytes_max` must be between 1 and 33554432",
            ),
            (
                (requests.body_bytes_max..=16 << 30).contains(&requests.body_bytes_in_flight_max),
                "`requests.body_bytes_in_flight_max` must be at least `requests.body_bytes_max`",
            ),
            (
                requests.token_cache_entries <= 10_000_000,
                "`requests.token_cache_entries` must be at most 10000000",
            ),
            (
                (1..=3_600_000).contains(&requests.body_timeout_ms),
                "`requests.body_timeout_ms` must be between 1 and 3600000",
            ),
            (
                (1..=4096).contains(&requests.in_flight_max),
                "`requests.in_flight_max` must be between 1 and 4096",
            ),
            (
                (1..=30_000).contains(&requests.answer_timeout_ms),
                "`requests.answer_timeout_ms` must be between 1 and 30000",
            ),
            (
                self.profile != ProfileName::Dev
                    || self.unsafe_remote
                    || self.edge.listen.ip().is_loopback(),
                "the `dev` profile listens on loopback only, unless `unsafe_remote = true`",
            ),
        ];
        match settings.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(ConfigError::Setting((*rule).to_owned())),
            None => Ok(()),
        }
    }

    /// How long clients' keys live.
    #[must_use]
    pub fn key_life(&self) -> KeyLife {
        let ClientKeysConfig { active_s, overlap_s, .. } = self.client_keys;
        let [active, overlap] = [active_s, overlap_s].map(|s| Duration::from_secs(s.into()));
        KeyLife { active, overlap }
    }

    /// Where keysets are kept.
    #[must_use]
    pub fn keyset_archive(&self) -> PathBuf {
        self.client_keys.archive.clone().unwrap_or_else(|| self.beside_the_audit_log("-keysets"))
    }

    /// Where rows are counted.
    #[must_use]
    pub fn limits_store(&self) -> PathBuf {
        self.limits.store.clone().unwrap_or_else(|| self.beside_the_audit_log("-limits"))
    }

    /// Where issuers' last good keys are kept.
    #[must_use]
    pub fn jwks_cache(&self) -> PathBuf {
        self.jwks.cache_dir.clone().unwrap_or_else(|| self.beside_the_audit_log("-jwks"))
    }

    fn beside_the_audit_log(&self, ending: &str) -> PathBuf {
        let mut name = self.audit.dir.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        self.audit.dir.with_file_name(name)
    }

    /// The profile, as the policies know it.
    #[must_use]
    pub const fn policy_profile(&self) -> Profile {
        match self.profile {
            ProfileName::Dev => Profile::Dev,
            ProfileName::Production => Profile::Production,
        }
    }

    /// The worker's binary: as configured, or the engine's beside our own.
    ///
    /// # Errors
    /// [`ConfigError::NoWorker`] when there is none.
    pub fn worker_program(&self) -> Result<PathBuf, ConfigError> {
        let program = match &self.worker.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()
                .map_err(|source| ConfigError::Unreadable {
                    file: "/proc/self/exe".into(),
                    source,
                })?
                .with_file_name(self.worker.engine.binary()),
        };
        if program.is_file() {
            Ok(program)
        } else {
            Err(ConfigError::NoWorker { program, engine: self.worker.engine })
        }
    }
}

impl EngineName {
    /// The name that a worker's hello carries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
        }
    }

    const fn binary(self) -> &'static str {
        match self {
            Self::Flex => "sealgate-worker",
            Self::Ndarray => "sealgate-worker-ndarray",
        }
    }

    const fn build_command(self) -> &'static str {
        match self {
            Self::Flex => "cargo build --release",
            Self::Ndarray => "cargo build --release -p sealgate-worker-ndarray",
        }
    }
}

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
    /// The policy folder has mistakes.
    #[error("{0}")]
    Policies(String),
}

/// Half of what a padded message may have on the hop: padding goes up to the next power of two.
const BODY_BYTES_MAX: usize = 32 << 20;

/// More would need more cores than one host has for them.
const WORKERS_MAX: usize = 16;

const fn one() -> usize {
    1
}
const fn production() -> ProfileName {
    ProfileName::Production
}
const fn flex() -> EngineName {
    EngineName::Flex
}
const fn require() -> Demand {
    Demand::Require
}
fn info() -> String {
    "info".to_owned()
}
fn origin() -> String {
    "sealgate.local/audit".to_owned()
}
const fn low_water_bytes() -> u64 {
    64 << 20
}
