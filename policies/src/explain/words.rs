//! An explanation as an admin reads it.

use std::fmt::{self, Display};

use jiff::Timestamp;

use super::{
    Asked, AskedOfModel, Came, Explanation, Granted, ModelFound, PartFound, RuleFound, Who,
};
use crate::rules::Found;

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "caller    {}", self.caller)?;
        writeln!(f, "asks      {}", self.ask)?;
        if let Some(model) = &self.model {
            writeln!(f, "model     {model}")?;
        }
        for rule in &self.rules {
            write!(f, "\n{rule}")?;
        }
        writeln!(f)?;
        match (&self.code, &self.granted) {
            (Some(code), _) => self.denied(code, f),
            (None, None) => write!(f, "allowed by {}", quoted(&self.decided_by)),
            (None, Some(granted)) => {
                write!(f, "allowed by {}\n{granted}", quoted(&self.decided_by))
            }
        }
    }
}

impl Explanation {
    fn denied(&self, code: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (code, self.decided_by.is_empty()) {
            ("not_permitted", _) => write!(f, "denied: no permit applies (`not_permitted`)"),
            ("model_unknown", _) => write!(f, "denied: there is no such model (`model_unknown`)"),
            ("mode_not_allowed", _) => write!(
                f,
                "denied: the rules permit it, but `models.toml` does not allow the model to be \
                 asked {} (`mode_not_allowed`)",
                self.ask.of_model.as_ref().map_or("so", |asked| asked.mode)
            ),
            ("evaluation_error", _) => write!(
                f,
                "denied: {} cannot be evaluated (`evaluation_error`)",
                quoted(&self.decided_by)
            ),
            (code, true) => write!(f, "denied (`{code}`)"),
            (code, false) => write!(f, "denied by {} (`{code}`)", quoted(&self.decided_by)),
        }
    }
}

impl Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of issuer `{}`, ", self.subject, self.issuer)?;
        match &self.tenant {
            Some(tenant) => write!(f, "tenant `{tenant}`, ")?,
            None => write!(f, "no tenant, ")?,
        }
        several(f, "group", &self.groups)?;
        several(f, "scope", &self.scopes)?;
        write!(f, "clearance {}, ", self.clearance)?;
        match self.token_age_s {
            Some(age_s) => write!(f, "token {age_s} s old"),
            None => write!(f, "a token that does not tell its age"),
        }
    }
}

fn several(f: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
    match names {
        [] => write!(f, "no {what}s, "),
        [one] => write!(f, "{what} `{one}`, "),
        names => write!(f, "{what}s {}, ", quoted(names)),
    }
}

impl Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of ", self.action)?;
        match &self.of_model {
            None => write!(f, "the gateway, from {}, ", self.address)?,
            Some(asked) => {
                let AskedOfModel { model, mode, protocol, .. } = asked;
                write!(f, "`{model}`")?;
                if let Some(version) = &asked.version {
                    write!(f, " version `{version}`")?;
                }
                write!(f, ", {mode}, {protocol}, from {}, ", self.address)?;
                match asked.rows {
                    Some(rows) => write!(f, "{rows} rows, ")?,
                    None => write!(f, "rows not announced, ")?,
                }
            }
        }
        write!(f, "at {}", time_text(self.time_s))
    }
}

impl Display for ModelFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared { owner, sensitivity, modes, .. } => {
                let modes = modes.join(" or ");
                write!(f, "declared, owned by `{owner}`, sensitivity {sensitivity}, asked {modes}")
            }
            Self::VersionUnknown { versions } => {
                write!(f, "declared, but only with version {}", quoted(versions))
            }
            Self::Unknown { declared } if declared.is_empty() => {
                write!(f, "unknown: none is declared")
            }
            Self::Unknown { declared } => write!(f, "unknown: declared are {}", quoted(declared)),
        }
    }
}

impl Display for RuleFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let came = match self.came {
            Came::Applies => "applies",
            Came::DoesNotApply => "does not apply",
            Came::Errs => "cannot be evaluated",
        };
        writeln!(f, "{} `{}` {came} ({} line {})", self.effect, self.id, self.file, self.line)?;
        self.parts.iter().try_for_each(|part| writeln!(f, "    {part}"))
    }
}

impl Display for PartFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match &self.found {
            Found::Holds => "holds",
            Found::Fails => "fails",
            Found::Errs(_) => "errs ",
        };
        write!(f, "{word}  {}", self.text)?;
        let unless = self.text.starts_with("unless ");
        match (&self.found, self.text.as_str()) {
            (_, "principal") => write!(f, "   (any caller)")?,
            (_, "action") => write!(f, "   (any action)")?,
            (_, "resource") => write!(f, "   (any resource)")?,
            (Found::Errs(message), _) => write!(f, "   ({message})")?,
            (Found::Holds, _) if unless => write!(f, "   (its condition is false)")?,
            (Found::Fails, _) if unless => write!(f, "   (its condition is true)")?,
            _ => {}
        }
        match self.too_late {
            true => write!(f, "   (no longer counts)"),
            false => Ok(()),
        }
    }
}

impl Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "release   `{}`: {}", self.release.profile, self.release.why)?;
        write!(f, "limits    `{}`: {}", self.limits.profile, self.limits.why)
    }
}

/// RFC 3339, UTC.
pub(crate) fn time_text(time_s: u64) -> String {
    let time = i64::try_from(time_s).ok().and_then(|s| Timestamp::from_second(s).ok());
    time.map_or_else(|| time_s.to_string(), |time| time.to_string())
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
