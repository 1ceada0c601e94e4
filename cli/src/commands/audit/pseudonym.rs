//! `sealgate audit pseudonym` and `forget`: who is who in a log that names nobody, and an end to it.

use std::path::PathBuf;

use clap::Args;
use sealgate_audit::{Epoch, EpochKey, Name, destroy, epochs};

use crate::error::CliError;
use crate::{Verdict, output};

/// Say under which names a log has a person, a program or a token
///
/// For each month whose key is still there. Needs the keys that lie beside a pseudonymous log.
#[derive(Args)]
pub(crate) struct Pseudonym {
    /// Folder of the keys, `<log>-pseudonyms`
    keys: PathBuf,
    /// The `sub` of tokens
    #[arg(long, value_name = "S", requires = "issuer")]
    #[arg(required_unless_present_any = ["client_id", "token_id", "ordered"])]
    subject: Option<String>,
    /// The `iss` of the same tokens
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The `client_id` of tokens
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// A `sub` as an admin's order names it, of whatever issuers
    #[arg(long, value_name = "S")]
    ordered: Option<String>,
    /// The `jti` of a token
    #[arg(long, value_name = "ID")]
    token_id: Option<String>,
}

pub(super) fn pseudonym(options: &Pseudonym) -> Result<Verdict, CliError> {
    let subject = options.issuer.as_deref().zip(options.subject.as_deref());
    let names = [
        subject.map(|(issuer, subject)| Name::Subject { issuer, subject }),
        options.client_id.as_deref().map(Name::ClientId),
        options.token_id.as_deref().map(Name::TokenId),
        options.ordered.as_deref().map(Name::Order),
    ];
    for epoch in epochs(&options.keys)? {
        if let Some(key) = EpochKey::load(&options.keys, epoch)? {
            for name in names.into_iter().flatten() {
                output::line(key.pseudonym(name))?;
            }
        }
    }
    Ok(Verdict::Well)
}

/// Destroy a month's key, so that nobody can say who is who in its records
///
/// The log goes on to verify. Destroy copies of the key too: backups, snapshots. The key of the
/// month that the gateway is in is in its memory, and cannot be destroyed so.
#[derive(Args)]
pub(crate) struct Forget {
    /// Folder of the keys, `<log>-pseudonyms`
    keys: PathBuf,
    /// The month, such as 2026-11
    month: Epoch,
}

pub(super) fn forget(options: &Forget) -> Result<Verdict, CliError> {
    let newest = epochs(&options.keys)?.pop();
    if newest == Some(options.month) {
        return Err(CliError::NewestEpoch { month: options.month });
    }
    destroy(&options.keys, options.month)?;
    output::line(format_args!("nobody is named any more in the records of {}", options.month))?;
    Ok(Verdict::Well)
}
