//! How a function starts where Lambda starts it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

use crate::{Config, ConfigError, Handler, Package, StartError};

/// What the platform says in the environment.
pub struct Environment {
    /// How it started the process (`AWS_LAMBDA_INITIALIZATION_TYPE`).
    pub initialization: Option<String>,
    /// Where events come from (`AWS_LAMBDA_RUNTIME_API`).
    pub runtime_api: Option<OsString>,
    /// Where the package lies (`LAMBDA_TASK_ROOT`).
    pub task_root: Option<OsString>,
    /// The configuration's file, if it is not `function.toml` of the package
    /// (`SEALGATE_FUNCTION_CONFIG`).
    pub config: Option<OsString>,
    /// The configuration itself (`SEALGATE_FUNCTION_TOML`).
    pub config_toml: Option<String>,
}

impl Environment {
    /// This process's.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            initialization: env::var("AWS_LAMBDA_INITIALIZATION_TYPE").ok(),
            runtime_api: env::var_os("AWS_LAMBDA_RUNTIME_API"),
            task_root: env::var_os("LAMBDA_TASK_ROOT"),
            config: env::var_os("SEALGATE_FUNCTION_CONFIG"),
            config_toml: env::var("SEALGATE_FUNCTION_TOML").ok(),
        }
    }

    /// Refuses a start whose process is to be copied, before any key is read.
    ///
    /// # Errors
    /// [`StartError::Environment`].
    pub fn check(&self) -> Result<(), StartError> {
        match self.initialization.as_deref() {
            None | Some("on-demand" | "provisioned-concurrency") => {}
            Some("snap-start") => return Err(StartError::Environment(SNAPSHOT)),
            Some(_) => return Err(StartError::Environment(UNKNOWN)),
        }
        match self.runtime_api {
            Some(_) => Ok(()),
            None => Err(StartError::Environment(NO_LAMBDA)),
        }
    }

    /// The configuration, from the one place where it is.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn config(&self) -> Result<Config, ConfigError> {
        let root = self.task_root.as_ref().map_or_else(|| PathBuf::from("."), PathBuf::from);
        match (&self.config_toml, &self.config) {
            (Some(_), Some(_)) => Err(ConfigError::Wrong(TWO_CONFIGS)),
            (Some(text), None) => Config::parse(text, &root),
            (None, Some(path)) => Config::read(&root.join(path)),
            (None, None) => Config::read(&root.join("function.toml")),
        }
    }
}

/// Opens the package of this process's program and its configuration.
///
/// # Errors
/// [`StartError`].
pub fn open(config: Config) -> Result<Handler, StartError> {
    Package::open(config, Path::new(PROGRAM))?.handler()
}

/// Answers events until the platform ends the process.
///
/// # Errors
/// What the runtime's interface says.
pub fn serve(handler: &Handler) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // One thread: an execution environment has one event at a time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let answer = handler.answer(event.payload.get().as_bytes());
        // Our own JSON; were it none, the event would have no answer.
        let answer = String::from_utf8(answer).map_err(|_| NO_ANSWER)?;
        RawValue::from_string(answer).map_err(|_| NO_ANSWER)
    })))
}

/// The program that runs.
pub const PROGRAM: &str = "/proc/self/exe";
const NO_ANSWER: &str = "internal";
const SNAPSHOT: &str = "Lambda SnapStart would copy this process with its keys and its random numbers\n\
                        hint: turn SnapStart off for this function, or keep environments warm by \
                        provisioned concurrency";
const UNKNOWN: &str = "this way of starting a function is not known\n\
                       hint: `AWS_LAMBDA_INITIALIZATION_TYPE` may be `on-demand` or \
                       `provisioned-concurrency`";
const NO_LAMBDA: &str = "AWS Lambda starts this program: there is no `AWS_LAMBDA_RUNTIME_API`\n\
                         hint: `sealgate-lambda --help` tells what it does elsewhere";
const TWO_CONFIGS: &str =
    "`SEALGATE_FUNCTION_TOML` and `SEALGATE_FUNCTION_CONFIG` exclude each other";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn started(initialization: Option<&str>) -> Result<(), StartError> {
        Environment {
            initialization: initialization.map(str::to_owned),
            runtime_api: Some("127.0.0.1:9001".into()),
            task_root: None,
            config: None,
            config_toml: None,
        }
        .check()
    }

    #[test]
    fn a_start_that_is_to_be_copied_is_refused_and_so_is_an_unknown_one() {
        assert!(started(None).is_ok());
        assert!(started(Some("on-demand")).is_ok());
        assert!(started(Some("provisioned-concurrency")).is_ok());
        assert!(started(Some("snap-start")).unwrap_err().to_string().contains("SnapStart"));
        assert!(started(Some("snap-start-2")).is_err());
    }
}
