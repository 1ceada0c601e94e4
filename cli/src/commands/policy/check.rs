//! `sealgate policy check`: a folder of rules and tables, checked as the gateway checks it.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use sealgate_policies::{Checked, Folder, Mistake, Profile, Severity};
use serde::Serialize;

use crate::demo::now_s;
use crate::error::CliError;
use crate::{Verdict, output};

/// Find every mistake in a policy folder
///
/// The folder is read by the code the gateway decides by. Its tests are read as well and not run:
/// `sealgate policy test` runs them. Exit code 1 when the gateway would refuse it; warnings alone
/// leave 0.
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
        true => candidate(&options.dir, profile),
        false => Checked::at(&options.dir, profile, now_s()),
    };
    match options.json {
        true => report(&checked)?,
        false => tell(options, &checked)?,
    }
    Ok(if checked.policy.is_some() { Verdict::Well } else { Verdict::NotWell })
}

/// The folder as its candidate would have it; without one, as it is.
fn candidate(dir: &Path, profile: Profile) -> Checked {
    match Folder::read(dir) {
        Ok(folder) => Checked::of(folder.candidate().as_ref().unwrap_or(&folder), profile, now_s()),
        Err(mistakes) => Checked { policy: None, mistakes, cases: 0 },
    }
}

/// Mistakes are what was asked for: they go to standard output.
fn tell(options: &Check, checked: &Checked) -> Result<(), CliError> {
    for mistake in checked.mistakes.iter() {
        output::line(mistake)?;
    }
    let dir = options.dir.display();
    let Some(policy) = &checked.policy else {
        return output::line(format_args!("`{dir}` would be refused"));
    };
    output::line(format_args!(
        "`{dir}` is well: {}, digest {}",
        count(policy.models().count(), "model"),
        policy.digest().hex()
    ))?;
    output::line(match checked.cases {
        0 => "it has no tests".to_owned(),
        cases => format!("{} to be met: `sealgate policy test` runs them", count(cases, "case")),
    })
}

fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn report(checked: &Checked) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Report<'a> {
        well: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        cases: usize,
        mistakes: Vec<One<'a>>,
    }
    output::json(&Report {
        well: checked.policy.is_some(),
        digest: checked.policy.as_ref().map(|policy| policy.digest().hex()),
        cases: checked.cases,
        mistakes: checked.mistakes.iter().map(one).collect(),
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
