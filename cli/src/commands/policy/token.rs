//! A caller as his token shows him, checked as the gateway checks it. Nothing is fetched.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use sealgate_policies::{
    Caller, JWKS_BYTES_MAX, Mistake, PolicySet, RemoteIssuer, Severity, TokenRefusal,
};

use crate::error::CliError;
use crate::output;

/// A token, and the keys that the folder lacks to check it.
#[derive(Args)]
pub(super) struct Shown {
    /// File with the caller's token
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "subject",
        required_unless_present = "subject"
    )]
    token: Option<PathBuf>,
    /// File with the keys of the token's issuer, if it has a `jwks_url`: nothing is fetched here
    #[arg(long, value_name = "FILE", requires = "token")]
    jwks: Option<PathBuf>,
}

impl Shown {
    /// `None` without a token.
    pub(super) fn caller(
        &self,
        policy: &PolicySet,
        now_s: u64,
    ) -> Result<Option<Result<Caller, TokenRefusal>>, CliError> {
        let Some(path) = &self.token else { return Ok(None) };
        let token = fs::read_to_string(path).map_err(CliError::io("read", path))?;
        let token = token.trim();
        match (policy.claimed_remote_issuer(token), &self.jwks) {
            (Some(issuer), Some(jwks)) => set_keys(&issuer, jwks)?,
            (Some(issuer), None) => {
                let (issuer, url) = (issuer.name().to_string(), issuer.jwks_url().to_string());
                return Err(CliError::KeysElsewhere { issuer, url });
            }
            (None, Some(_)) => return Err(CliError::JwksUnused),
            (None, None) => {}
        }
        Ok(Some(policy.authenticate(token, now_s)))
    }
}

fn set_keys(issuer: &RemoteIssuer, path: &Path) -> Result<(), CliError> {
    let file = File::open(path).map_err(CliError::io("read", path))?;
    let mut jwks = String::new();
    file.take(JWKS_BYTES_MAX as u64 + 1)
        .read_to_string(&mut jwks)
        .map_err(CliError::io("read", path))?;
    match issuer.set_keys(&jwks) {
        Ok(warnings) => {
            warnings.iter().for_each(|Mistake { message, .. }| {
                output::note(format_args!("warning: `{}`: {message}", path.display()));
            });
            Ok(())
        }
        Err(mistakes) => {
            let error = mistakes.iter().find(|mistake| mistake.severity == Severity::Error);
            let (message, hint) =
                error.map(|error| (error.message.clone(), error.hint.clone())).unwrap_or_default();
            Err(CliError::Jwks { path: path.into(), message, hint })
        }
    }
}
