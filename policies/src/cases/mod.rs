//! Policy tests: what an admin expects of his rules, held against what they say.
//!
//! A case describes a caller by the claims of a token. They go through the code that reads real
//! tokens, so that `roles.toml` is tested together with the rules.

mod file;
mod time;

use std::fmt;

use serde::Serialize;

use crate::decision::Decision;
use crate::folder::Folder;
use crate::mistake::{Mistakes, Place};
use crate::set::PolicySet;
use crate::tables::parse;

use file::{Case, File, Verdict};
pub use time::parse_time_s;

/// What came of a folder's tests. Displayed in words.
#[derive(Debug, Clone, Default)]
pub struct CaseReport {
    /// What is wrong with the tests themselves.
    pub mistakes: Mistakes,
    /// What came of each case, by file and place.
    pub cases: Vec<CaseFound>,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseFound {
    /// The file, relative to the folder.
    pub file: String,
    /// The line the case begins on, counted from 1.
    pub line: Option<usize>,
    /// The case's name.
    pub name: String,
    /// Every expectation that was not met; none when the case is well.
    pub differs: Vec<Differs>,
}

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// Of what: `verdict`, `code`, `rules`, `release` or `limits`.
    pub of: &'static str,
    /// What the case expects.
    pub expected: String,
    /// What the policy says.
    pub found: String,
}

/// Runs every test of a folder that has been accepted. `folder` is the one that `policy` was made
/// of. A folder should only take effect when the report [is well](CaseReport::is_well).
pub fn run_cases(policy: &PolicySet, folder: &Folder) -> CaseReport {
    let mut report = CaseReport::default();
    for (path, _) in folder.tests() {
        let Some(parsed) = parse::<File>(folder, path, &mut report.mistakes) else { continue };
        let mut names = Vec::new();
        for case in &parsed.rows.case {
            let place = parsed.place(case);
            let case = case.get_ref();
            if names.contains(&&case.name) {
                let message = format!("two cases are called `{}`", case.name);
                report.mistakes.error(place, message).hint("a name says which one failed");
            }
            names.push(&case.name);
            if case.makes_sense(policy, place, &mut report.mistakes) {
                report.cases.push(case.run(policy, place));
            }
        }
    }
    report.mistakes = report.mistakes.sorted();
    report
}

impl CaseReport {
    /// Whether every test could be read and every expectation was met.
    pub fn is_well(&self) -> bool {
        self.mistakes.is_empty() && self.failed() == 0
    }

    /// How many cases found something else than they expect.
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.is_well()).count()
    }
}

impl CaseFound {
    /// Whether every expectation was met.
    pub fn is_well(&self) -> bool {
        self.differs.is_empty()
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in self.mistakes.iter() {
            writeln!(f, "{mistake}")?;
        }
        for case in &self.cases {
            writeln!(f, "{case}")?;
        }
        let (all, failed) = (self.cases.len(), self.failed());
        let cases = if all == 1 { "case" } else { "cases" };
        match (all, failed) {
            (0, _) => write!(f, "no case was run"),
            (_, 0) => write!(f, "{all} {cases}, all as expected"),
            _ => write!(f, "{all} {cases}, {failed} not as expected"),
        }
    }
}

impl fmt::Display for CaseFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_well() { "well  " } else { "FAILED" };
        write!(f, "{word}  {} ({}", self.name, self.file)?;
        match self.line {
            Some(line) => write!(f, " line {line})")?,
            None => write!(f, ")")?,
        }
        self.differs.iter().try_for_each(|differs| {
            let Differs { of, expected, found } = differs;
            write!(f, "\n        {of:<8} expected {expected}\n                 found    {found}")
        })
    }
}

impl Case {
    fn run(&self, policy: &PolicySet, place: Place<'_>) -> CaseFound {
        let found = self.found(policy);
        let expect = &self.expect;
        let mut differs = Vec::new();
        let mut hold = |of, expected: Option<String>, found: String| {
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                differs.push(Differs { of, expected, found });
            }
        };
        hold(
            "verdict",
            Some(expect.verdict.as_str().to_owned()),
            found.verdict.as_str().to_owned(),
        );
        hold("code", expect.code.clone(), found.code);
        hold("rules", expect.rules.as_ref().map(|rules| list(rules)), list(&found.rules));
        hold("release", expect.release.clone(), found.release);
        hold("limits", expect.limits.clone(), found.limits);
        CaseFound {
            file: place.file.to_owned(),
            line: place.line,
            name: self.name.clone(),
            differs,
        }
    }

    fn found(&self, policy: &PolicySet) -> Said {
        let ask = self.ask.ask();
        let caller = match policy.suppose(&self.caller, self.ask.token_age_s, ask.now_s) {
            Ok(caller) => caller,
            Err(refusal) => return Said::denied(refusal.code(), Vec::new()),
        };
        let ids = |rules: &[std::sync::Arc<str>]| rules.iter().map(|id| id.to_string()).collect();
        match policy.decide(&caller, &ask) {
            Decision::Denied(denial) => Said::denied(denial.code(), ids(denial.rules())),
            Decision::Allowed(permit) => Said {
                verdict: Verdict::Allow,
                code: NONE.to_owned(),
                rules: ids(permit.rules()),
                release: permit.release().name().to_string(),
                limits: permit.limits().name().to_string(),
            },
        }
    }
}

/// What the policy says, in the words that a case can expect.
struct Said {
    verdict: Verdict,
    code: String,
    rules: Vec<String>,
    release: String,
    limits: String,
}

impl Said {
    fn denied(code: &str, rules: Vec<String>) -> Self {
        let none = || NONE.to_owned();
        Self {
            verdict: Verdict::Deny,
            code: code.to_owned(),
            rules,
            release: none(),
            limits: none(),
        }
    }
}

/// Sorted: the order in which rules decide means nothing.
fn list(rules: &[String]) -> String {
    let mut rules: Vec<_> = rules.iter().map(|rule| format!("`{rule}`")).collect();
    rules.sort_unstable();
    if rules.is_empty() { NONE.to_owned() } else { rules.join(", ") }
}

const NONE: &str = "none";
