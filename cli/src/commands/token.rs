//! `sealgate token`: a token of the demo's issuer.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::demo::now_s;
use crate::error::CliError;
use crate::state::State;
use crate::state::issuer::{Claims, DevIssuer, LIFETIME_MAX};
use crate::{Verdict, output};

/// Print a token of the demo's issuer
///
/// What is not named is not in the token: without groups, tenant or scopes the policy will refuse
/// it. The demo's own token has `--group clinicians --tenant general-hospital --scope infer`.
#[derive(Args)]
pub(crate) struct Options {
    /// State folder of the demo
    #[arg(long, value_name = "DIR", default_value = "./sealgate-demo")]
    state: PathBuf,
    /// Whom the token speaks of
    #[arg(long, value_name = "S")]
    subject: String,
    /// A group of the subject; may be given several times
    #[arg(long = "group", value_name = "G")]
    groups: Vec<String>,
    /// The tenant whose data it is
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
    /// What the token may be used for; may be given several times
    #[arg(long = "scope", value_name = "S")]
    scopes: Vec<String>,
    /// How long it is valid, such as 90s, 10m or 2h; at most 12h
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = Ttl::parse)]
    ttl: Ttl,
}

pub(crate) fn run(options: &Options) -> Result<Verdict, CliError> {
    if options.ttl.duration > LIFETIME_MAX {
        return Err(CliError::TokenTooLong { given: options.ttl.given.clone() });
    }
    let issuer = DevIssuer::load(&State::open(&options.state)?)?;
    let claims = Claims {
        subject: options.subject.clone(),
        groups: options.groups.clone(),
        tenant: options.tenant.clone(),
        scopes: options.scopes.clone(),
    };
    output::line(issuer.token(&claims, now_s(), options.ttl.duration)?)?;
    Ok(Verdict::Well)
}

/// A time as it was typed.
#[derive(Clone)]
struct Ttl {
    given: String,
    duration: Duration,
}

impl Ttl {
    fn parse(given: &str) -> Result<Self, String> {
        let parse = || {
            let (number, unit_s) = [("s", 1), ("m", 60), ("h", 3600)]
                .iter()
                .find_map(|(unit, seconds)| Some((given.strip_suffix(unit)?, *seconds)))?;
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.then(|| number.parse::<u64>().ok())??;
            number.checked_mul(unit_s).filter(|seconds| *seconds > 0)
        };
        match parse() {
            Some(seconds) => {
                Ok(Self { given: given.to_owned(), duration: Duration::from_secs(seconds) })
            }
            None => Err("expected a number and one of s, m, h".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ttl;

    #[test]
    fn times_are_numbers_with_a_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200)] {
            assert_eq!(Ttl::parse(text).map(|ttl| ttl.duration.as_secs()).ok(), Some(seconds));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "10", "m", "-1m", "+1m", "1.5h", "0s", "10 m", "1d", "99999999999999999999h"]
        {
            assert!(Ttl::parse(text).is_err(), "{text}");
        }
    }
}
