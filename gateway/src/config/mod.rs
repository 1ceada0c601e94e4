//! The gateway's settings. Read and checked before any port is bound.
//!
//! One file for each family of sections; those of `[edge]`, `[attestation]` and `[jwks]` lie with
//! what they are about.

mod admin;
mod check;
mod client_keys;
mod error;
mod kek;
mod record;
mod remote;
mod requests;
mod scaling;
mod worker;

use std::path::{Path, PathBuf};

use sealgate_policies::Profile;
use serde::Deserialize;

use crate::attestation::AttestationConfig;
use crate::edge::EdgeConfig;
use crate::jwks::JwksConfig;
use crate::log::LogConfig;
use crate::trace::TraceConfig;
use admin::AdminConfig;
use client_keys::ClientKeysConfig;
pub use error::ConfigError;
use kek::KekConfig;
pub use record::NamesConfig;
use record::{AuditConfig, ReceiptsConfig};
use requests::LimitsConfig;
pub use requests::RequestLimits;
pub use worker::{Demand, EngineName};
use worker::{ModelConfig, RepositoryConfig, WorkerConfig};

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
    /// Where admins are listened to. Default: nowhere.
    #[serde(default)]
    pub admin: Option<AdminConfig>,
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
    /// Models that are served from the start to the end. Default: none.
    #[serde(default)]
    pub models: Vec<ModelConfig>,
    /// A folder of models that may change while the gateway runs. Default: none.
    #[serde(default)]
    pub repository: Option<RepositoryConfig>,
    /// What unwraps models that lie sealed.
    #[serde(default)]
    pub kek: KekConfig,
    /// Limits of requests.
    #[serde(default)]
    pub requests: RequestLimits,
    /// What callers have asked of their limits.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Where traces are exported to. Default: nowhere.
    #[serde(default)]
    pub trace: Option<TraceConfig>,
    /// The log on stderr: a level (`error`, `warn`, `info`, `debug` or `trace`), or a table with
    /// `level` and `format` (`text` or `json`). Default: `info` as text.
    #[serde(default)]
    pub log: LogConfig,
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
        config.check_workers()?;
        // Workers run in `/`: what they are told must not depend on where we were started.
        let worker = &mut config.worker;
        for path in worker.program.iter_mut().chain(&mut worker.config) {
            *path = std::path::absolute(&*path)
                .map_err(|source| ConfigError::Unreadable { file: path.clone(), source })?;
        }
        Ok(config)
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

    /// Where is kept how far the audit log has been read for what is spent.
    #[must_use]
    pub fn cost_cache(&self) -> PathBuf {
        self.beside_the_audit_log("-cost.json")
    }

    /// Where the keys of pseudonyms are kept.
    #[must_use]
    pub fn pseudonym_keys(&self) -> PathBuf {
        let configured = self.audit.pseudonym_keys.clone();
        configured.unwrap_or_else(|| self.beside_the_audit_log("-pseudonyms"))
    }

    /// Where issuers' last good keys are kept.
    #[must_use]
    pub fn jwks_cache(&self) -> PathBuf {
        self.jwks.cache_dir.clone().unwrap_or_else(|| self.beside_the_audit_log("-jwks"))
    }

    /// Where orders are kept that an admin gave.
    #[must_use]
    pub fn emergency_file(&self) -> PathBuf {
        self.beside_the_audit_log("-emergency.json")
    }

    /// How admins are listened to.
    #[must_use]
    pub fn admin_edge(&self) -> Option<EdgeConfig> {
        let admin = self.admin.as_ref()?;
        Some(EdgeConfig {
            listen: admin.listen,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            ..self.edge.clone()
        })
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

const fn production() -> ProfileName {
    ProfileName::Production
}
