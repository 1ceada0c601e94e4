//! A caller as he is described on the command line.

use clap::Args;
use sealgate_policies::Supposed;
use serde_json::Value;

use crate::error::CliError;

/// A caller without a token.
#[derive(Args)]
pub(super) struct Described {
    /// The token's `sub`, in place of a token
    #[arg(long, value_name = "S", requires = "issuer")]
    subject: Option<String>,
    /// The issuer's name in `issuers.toml`
    #[arg(long, value_name = "I", requires = "subject")]
    issuer: Option<String>,
    /// Another claim, such as `groups=clinicians`; several of one name become a list
    #[arg(long = "claim", value_name = "K=V", requires = "subject", value_parser = claim)]
    claims: Vec<(String, Value)>,
    /// How old the token is, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, conflicts_with = "token")]
    pub(super) token_age: u64,
}

impl Described {
    /// `None` when nobody is described.
    pub(super) fn supposed(&self) -> Result<Option<Supposed>, CliError> {
        let (Some(sub), Some(issuer)) = (&self.subject, &self.issuer) else { return Ok(None) };
        let mut supposed = Supposed {
            issuer: issuer.clone(),
            sub: sub.clone(),
            client_id: None,
            jti: None,
            claims: std::collections::BTreeMap::new(),
        };
        for (name, value) in &self.claims {
            match (name.as_str(), value) {
                ("client_id", Value::String(id)) => supposed.client_id = Some(id.clone()),
                ("jti", Value::String(id)) => supposed.jti = Some(id.clone()),
                _ => add(&mut supposed, name, value),
            }
        }
        match supposed.misplaced_claim() {
            Some(claim) => Err(CliError::ClaimMisplaced { claim: claim.to_owned() }),
            None => Ok(Some(supposed)),
        }
    }
}

fn add(supposed: &mut Supposed, name: &str, value: &Value) {
    match supposed.claims.get_mut(name) {
        None => drop(supposed.claims.insert(name.to_owned(), value.clone())),
        Some(Value::Array(several)) => several.push(value.clone()),
        Some(one) => *one = Value::Array(vec![one.take(), value.clone()]),
    }
}

/// A list, an object, a number or a truth value in JSON, else a text as it stands.
fn claim(given: &str) -> Result<(String, Value), String> {
    let (name, value) = given.split_once('=').ok_or("expected a name, `=` and a value")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}
