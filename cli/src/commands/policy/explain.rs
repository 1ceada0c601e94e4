//! `sealgate policy explain`: why something is allowed or denied.

use std::net::IpAddr;

use clap::Args;
use sealgate_policies::{
    AnyAction, AnyAsk, Explanation, GatewayAsk, PolicySet, TokenRefusal, parse_time_s,
};
use serde::Serialize;

use super::caller::Described;
use super::folder::{Asked, Loaded};
use super::of_model::OfModel;
use super::token::Shown;
use crate::demo::now_s;
use crate::error::CliError;
use crate::{Verdict, output};

/// Tell why a caller is allowed or denied something
///
/// Looks at every rule of the folder: whether its head is about the request, and whether each
/// `when` and `unless` holds, fails or cannot be evaluated. The caller is a token, checked as the
/// gateway checks it, or is described by what a token would say. Exit code 1 when the token would
/// not count; allowed and denied both leave 0.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    described: Described,
    /// What to do, with a model (such as infer) or as asked of the gateway (such as reload_policies)
    #[arg(long, value_name = "A", value_parser = action)]
    action: AnyAction,
    #[command(flatten)]
    of_model: OfModel,
    /// The client's address
    #[arg(long, value_name = "IP", default_value = "192.0.2.1")]
    address: IpAddr,
    /// When, such as 2026-11-23T10:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    time: Option<u64>,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<Verdict, CliError> {
    let Loaded { folder, policy } = options.asked.load()?;
    let ask = options.ask()?;
    let caller = options.shown.caller(&policy, ask.now_s())?;
    let explained = match (caller, options.described.supposed()?) {
        (Some(caller), _) => caller.map(|caller| policy.explain(&folder, &caller, &ask)),
        (None, Some(supposed)) => {
            must_be_declared(&policy, &supposed.issuer)?;
            policy.explain_supposed(&folder, &supposed, options.described.token_age, &ask)
        }
        // clap demands one of the two.
        (None, None) => Err(TokenRefusal::Missing),
    };
    match (&explained, options.json) {
        (Ok(explanation), true) => output::json(&Words::Explained(explanation))?,
        (Ok(explanation), false) => output::line(explanation)?,
        (Err(refusal), true) => output::json(&Words::refused(*refusal))?,
        (Err(refusal), false) => output::line(format_args!(
            "the token does not count: {refusal} (`{}`)",
            refusal.code()
        ))?,
    }
    Ok(if explained.is_ok() { Verdict::Well } else { Verdict::NotWell })
}

impl Options {
    fn ask(&self) -> Result<AnyAsk<'_>, CliError> {
        let (address, now_s) = (self.address, self.time.unwrap_or_else(now_s));
        match self.action {
            AnyAction::Model(action) => self.of_model.ask(action, address, now_s).map(AnyAsk::from),
            AnyAction::Gateway(action) => {
                self.of_model.must_be_unsaid(action)?;
                Ok(GatewayAsk { action, address, now_s }.into())
            }
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Words<'a> {
    Explained(&'a Explanation),
    Refused { verdict: &'static str, code: &'static str, token: String },
}

impl Words<'_> {
    fn refused(refusal: TokenRefusal) -> Self {
        Self::Refused { verdict: "deny", code: refusal.code(), token: refusal.to_string() }
    }
}

fn must_be_declared(policy: &PolicySet, issuer: &str) -> Result<(), CliError> {
    let declared = policy.issuer_names();
    if declared.contains(&issuer) {
        return Ok(());
    }
    let declared = declared.into_iter().map(str::to_owned).collect();
    Err(CliError::IssuerUnknown { given: issuer.to_owned(), declared })
}

fn action(given: &str) -> Result<AnyAction, String> {
    let names = || AnyAction::all().map(AnyAction::as_str).collect::<Vec<_>>().join(", ");
    AnyAction::named(given).ok_or_else(|| format!("expected one of {}", names()))
}

fn time(given: &str) -> Result<u64, String> {
    parse_time_s(given).ok_or_else(|| "expected a time such as 2026-11-23T10:00:00Z".to_owned())
}
