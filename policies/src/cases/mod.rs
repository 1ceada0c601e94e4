//! Policy tests: what an admin expects of his rules, held against what they say.
//!
//! A case describes a caller by the claims of a token. They go through the code that reads real
//! tokens, so that `roles.toml` is tested together with the rules.

mod file;
mod sense;
mod time;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::any_ask::AnyAsk;
use crate::decision::{Decision, GatewayDecision};
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
    each_case(folder, &mut report.mistakes, |case, place, mistakes| {
        if case.makes_sense(policy, place, mistakes) {
            report.cases.extend(case.run(policy, place));
        }
    });
    report.mistakes = report.mistakes.sorted();
    report
}

/// Reads every test of a folder and runs none. Notes what is wrong with them (names are judged only
/// by a `policy` that could be made) and says how many could be read.
pub(crate) fn read_cases(
    folder: &Folder,
    policy: Option<&PolicySet>,
    mistakes: &mut Mistakes,
) -> usize {
    let mut cases = 0;
    each_case(folder, mistakes, |case, place, mistakes| {
        let makes_sense = policy.is_none_or(|policy| case.makes_sense(policy, place, mistakes));
        cases += usize::from(makes_sense);
    });
    cases
}

/// Reads every test of a folder, and gives each case that is whole to `then`, with its place.
fn each_case(
    folder: &Folder,
    mistakes: &mut Mistakes,
    mut then: impl FnMut(&Case, Place<'_>, &mut Mistakes),
) {
    for (path, _) in folder.tests() {
        let Some(parsed) = parse::<File>(folder, path, mistakes) else { continue };
        let mut names = HashSet::new();
        for case in &parsed.rows.case {
            let place = parsed.place(case);
            let case = case.get_ref();
            if !names.insert(&case.name) {
                let message = format!("two cases are called `{}`", case.name);
                mistakes.error(place, message).hint("a name says which one failed");
            }
            if case.is_whole(place, mistakes) {
                then(case, place, mistakes);
            }
        }
    }
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
    /// `None` when it asks nothing: such a case is not whole.
    fn run(&self, policy: &PolicySet, place: Place<'_>) -> Option<CaseFound> {
        let found = self.found(policy, &self.ask.ask()?);
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
        Some(CaseFound {
            file: place.file.to_owned(),
            line: place.line,
            name: self.name.clone(),
            differs,
        })
    }

    fn found(&self, policy: &PolicySet, ask: &AnyAsk<'_>) -> Said {
        let caller = match policy.suppose(&self.caller, self.ask.token_age_s, ask.now_s()) {
            Ok(caller) => caller,
            Err(refusal) => return Said::denied(refusal.code(), &[]),
        };
        match ask {
            AnyAsk::Model(ask) => match policy.decide(&caller, ask) {
                Decision::Denied(denial) => Said::denied(denial.code(), denial.rules()),
                Decision::Allowed(permit) => Said {
                    release: permit.release().name().to_string(),
                    limits: permit.limits().name().to_string(),
                    ..Said::allowed(permit.rules())
                },
            },
            AnyAsk::Gateway(ask) => match policy.decide_gateway(&caller, ask) {
                GatewayDecision::Denied(denial) => Said::denied(denial.code(), denial.rules()),
                GatewayDecision::Allowed(permit) => Said::allowed(permit.rules()),
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
    fn allowed(rules: &[Arc<str>]) -> Self {
        let none = || NONE.to_owned();
        Self {
            verdict: Verdict::Allow,
            code: none(),
            rules: rules.iter().map(|id| id.to_string()).collect(),
            release: none(),
            limits: none(),
        }
    }

    fn denied(code: &str, rules: &[Arc<str>]) -> Self {
        Self { verdict: Verdict::Deny, code: code.to_owned(), ..Self::allowed(rules) }
    }
}

/// Sorted: the order in which rules decide means nothing.
fn list(rules: &[String]) -> String {
    let mut rules: Vec<_> = rules.iter().map(|rule| format!("`{rule}`")).collect();
    rules.sort_unstable();
    if rules.is_empty() { NONE.to_owned() } else { rules.join(", ") }
}

const NONE: &str = "none";
