//! `sealgate policy check`: a folder of rules and tables, checked as the gateway checks it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sealgate_policies::{Folder, Mistake, Mistakes, PolicySet, Profile, Severity};
use serde::Serialize;

use crate::demo::now_s;
use crate::error::CliError;
use crate::{Verdict, output};

/// Find every mistake in a policy folder
///
/// The folder is read by the code the gateway decides by. Exit code 1 when the gateway would refuse
/// it; warnings alone leave 0.
#[derive(Args)]
pub(crate) struct Check {
    /// The policy folder
    dir: PathBuf,
    /// Check what its `candidate/` proposes instead
    #[arg(long)]
    candidate: bool,
    /// What the gateway's configuration calls its profile
    #[arg(long, value_enum, default_value_t = ProfileName::Dev)]
    profile: ProfileName,
    /// Print a report for programs
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileName {
    /// The demo's issuer is accepted
    Dev,
    /// The demo's issuer is refused
    Production,
}

pub(super) fn run(options: &Check) -> Result<Verdict, CliError> {
    let profile = match options.profile {
        ProfileName::Dev => Profile::Dev,
        ProfileName::Production => Profile::Production,
    };
    let checked = match options.candidate {
        true => Folder::read(&options.dir).and_then(|folder| candidate(&folder, profile)),
        false => PolicySet::load(&options.dir, profile),
    };
    match options.json {
        true => report(&checked)?,
        false => tell(options, &checked)?,
    }
    Ok(if checked.is_ok() { Verdict::Well } else { Verdict::NotWell })
}

/// The folder as its candidate would have it; without one, as it is.
fn candidate(folder: &Folder, profile: Profile) -> Checked {
    PolicySet::from_folder(folder.candidate().as_ref().unwrap_or(folder), profile)
}

type Checked = Result<PolicySet, Mistakes>;

fn mistakes(checked: &Checked) -> Mistakes {
    match checked {
        Ok(policy) => policy.warnings_at(now_s()),
        Err(mistakes) => mistakes.clone(),
    }
}

/// Mistakes are what was asked for: they go to standard output.
fn tell(options: &Check, checked: &Checked) -> Result<(), CliError> {
    for mistake in mistakes(checked).iter() {
        output::line(mistake)?;
    }
    match checked {
        Ok(policy) => {
            let models = policy.models().count();
            output::line(format_args!(
                "`{}` is well: {models} {}, digest {}",
                options.dir.display(),
                if models == 1 { "model" } else { "models" },
                policy.digest().hex()
            ))
        }
        Err(_) => output::line(format_args!("`{}` would be refused", options.dir.display())),
    }
}

fn report(checked: &Checked) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report<'a> {
        well: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        mistakes: Vec<One<'a>>,
    }
    output::json(&Report {
        well: checked.is_ok(),
        digest: checked.as_ref().ok().map(|policy| policy.digest().hex()),
        mistakes: mistakes(checked).iter().map(one).collect(),
    })
}

/// A mistake as programs read it.
#[derive(Serialize)]
pub(super) struct One<'a> {
    severity: &'static str,
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    message: &'a str,
    hint: Option<&'a str>,
}

pub(super) fn one(mistake: &Mistake) -> One<'_> {
    One {
        severity: match mistake.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        file: &mistake.file,
        line: mistake.line,
        column: mistake.column,
        message: &mistake.message,
        hint: mistake.hint.as_deref(),
    }
}
