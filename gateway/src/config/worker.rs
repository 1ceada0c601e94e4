//! `[worker]` and `[[models]]`: which program runs what.

use std::path::PathBuf;

use serde::Deserialize;

use super::remote::RemoteConfig;
use super::scaling::ScalingConfig;

/// `[worker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// `worker.toml`, which the worker reads itself. Required, unless workers are `remote`.
    #[serde(default)]
    pub config: Option<PathBuf>,
    /// `flex`, or `ndarray`, which runs on the engine that burn has deprecated. Default: `flex`.
    #[serde(default = "flex")]
    pub engine: EngineName,
    /// The worker's binary. Default: the engine's, beside the gateway's own.
    #[serde(default)]
    pub program: Option<PathBuf>,
    /// How many workers are started before they are needed and wait for a model. Each has made its
    /// keys, knows nothing and takes some megabytes. Default: 0.
    #[serde(default)]
    pub spares: usize,
    /// `require` gives a model only to a worker whose essential guards all hold; `report` to any.
    /// Default: `require`.
    #[serde(default = "require")]
    pub sandbox: Demand,
    /// Workers of other hosts, instead of processes that this gateway starts. Default: none.
    #[serde(default)]
    pub remote: Option<RemoteConfig>,
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
    /// How many workers run it, each with keys of its own, whatever the load. Default: 1, unless
    /// `scaling` says otherwise.
    #[serde(default)]
    pub replicas: Option<usize>,
    /// How many workers run it under which load. Default: as `replicas` says.
    #[serde(default)]
    pub scaling: Option<ScalingConfig>,
}

/// `[repository]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryConfig {
    /// The folder, with `NAME/VERSION/model.safetensors` or `NAME/VERSION/model.sealed` in it.
    pub dir: PathBuf,
    /// How many workers run each version, whatever the load. Default: 1, unless `scaling` says
    /// otherwise.
    #[serde(default)]
    pub replicas: Option<usize>,
    /// How many workers run each version under which load. Default: as `replicas` says.
    #[serde(default)]
    pub scaling: Option<ScalingConfig>,
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

    pub(super) const fn binary(self) -> &'static str {
        match self {
            Self::Flex => "sealgate-worker",
            Self::Ndarray => "sealgate-worker-ndarray",
        }
    }

    pub(super) const fn build_command(self) -> &'static str {
        match self {
            Self::Flex => "cargo build --release",
            Self::Ndarray => "cargo build --release -p sealgate-worker-ndarray",
        }
    }
}

const fn flex() -> EngineName {
    EngineName::Flex
}

const fn require() -> Demand {
    Demand::Require
}
