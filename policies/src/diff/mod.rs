//! What another folder would have decided: recorded decisions, decided again.
//!
//! A record keeps less than a request has: the network and not the address, the rows reserved and
//! not those announced, the standing and not the token. So each case is decided for everything it
//! may have been. Only when one folder gives one answer to all of that is its answer known; else,
//! and whenever not even that can be told, the case is undetermined and never the same.

mod addresses;
mod guesses;
mod recorded;
mod tally;
mod tokens;

use std::sync::Arc;

use serde::Serialize;

use crate::any_ask::AnyAsk;
use crate::ask::Ask;
use crate::decision::Decision;
use crate::folder::Folder;
use crate::rules::{Looked, Written};
use crate::set::PolicySet;
use crate::tables::{LimitProfile, ReleaseProfile};
use crate::token::TokenRefusal;

use guesses::Guess;
pub use recorded::Recorded;
pub use tally::{Change, Tally};
use tokens::Reading;

/// An old and a new folder, ready to be held against records.
pub struct Replay<'a> {
    old: Side<'a>,
    new: Side<'a>,
}

/// What became of one recorded decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// Both folders decide alike and grant the same.
    Same,
    /// They do not.
    Changed(Box<Changed>),
    /// The record lacks these things, which a rule or a table needs.
    Undetermined(Vec<String>),
    /// No rule decided it, so none would.
    NotByRules,
}

/// A decision that would be another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// What the old folder says.
    pub from: Answer,
    /// What the new folder says.
    pub to: Answer,
    /// The rules in whose deciding the two differ, or those that decide now.
    pub rules: Vec<String>,
}

/// What a folder says of a case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Answer {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why not, or what is granted: `release/limits`.
    pub detail: String,
    /// The ids of the rules that decided, sorted.
    pub rules: Vec<String>,
}

struct Side<'a> {
    policy: &'a PolicySet,
    written: Vec<Written>,
    reading: Reading,
}

impl<'a> Replay<'a> {
    /// Each set with the folder that it was made of.
    pub fn new(old: (&'a PolicySet, &'a Folder), new: (&'a PolicySet, &'a Folder)) -> Self {
        Self { old: Side::new(old), new: Side::new(new) }
    }

    /// Decides one record again, by both folders.
    pub fn compare(&self, recorded: &Recorded) -> Compared {
        let Some(action) = recorded.action() else { return Compared::NotByRules };
        let mut lacks = recorded.lacks(self.old.policy.digest());
        lacks.extend(self.new.reading.lacks(&self.old.reading, &recorded.issuer));
        if !(self.old.is_whole() && self.new.is_whole()) {
            lacks.push("what a rule needs that cannot be taken apart".to_owned());
        }
        if !lacks.is_empty() {
            return Compared::Undetermined(lacks);
        }
        match self.both(recorded, &Guess::of(recorded, action)) {
            Ok((old, new)) if old.means_the_same(&new) => Compared::Same,
            Ok((old, new)) => Compared::Changed(Box::new(changed(&old, &new))),
            Err(lacks) => Compared::Undetermined(lacks),
        }
    }

    /// The one answer of each folder to everything that the case may have been, or what is
    /// lacking to have one. What the old folder would not have recorded so cannot have been.
    fn both(&self, recorded: &Recorded, guess: &Guess<'_>) -> Result<(Said, Said), Vec<String>> {
        let mut about_it = self.old.about_it(recorded, guess);
        about_it.extend(self.new.about_it(recorded, guess));
        let situations = guess.situations(recorded, &about_it)?;
        let mut said: Option<(Said, Said)> = None;
        for ask in situations.asks(guess) {
            let old = self.old.said(recorded, &ask);
            if !old.explains(recorded, &ask) {
                continue;
            }
            let one = (old, self.new.said(recorded, &ask));
            if said.as_ref().is_some_and(|other| *other != one) {
                return Err(situations.lacks());
            }
            said = Some(one);
        }
        said.ok_or_else(|| vec![UNEXPLAINED.to_owned()])
    }
}

fn changed(old: &Said, new: &Said) -> Changed {
    let (from, to) = (old.answer(), new.answer());
    let mut rules: Vec<String> = Vec::new();
    for (one, other) in [(&from.rules, &to.rules), (&to.rules, &from.rules)] {
        rules.extend(one.iter().filter(|rule| !other.contains(rule)).cloned());
    }
    if rules.is_empty() {
        rules.clone_from(&to.rules);
    }
    rules.sort_unstable();
    Changed { from, to, rules }
}

impl<'a> Side<'a> {
    fn new((policy, folder): (&'a PolicySet, &'a Folder)) -> Self {
        Self { policy, written: Written::all(folder), reading: Reading::of(folder) }
    }

    fn said(&self, recorded: &Recorded, ask: &Ask<'_>) -> Said {
        match recorded.caller(self.policy, ask.now_s) {
            Ok(caller) => Said::of(self.policy.decide(&caller, ask)),
            Err(refusal) => Said::refused(refusal),
        }
    }

    /// The rules that can matter: all but those whose head is not about the case.
    fn about_it(&self, recorded: &Recorded, guess: &Guess<'_>) -> Vec<&Written> {
        let ask = AnyAsk::Model(guess.ask());
        let Ok(caller) = recorded.caller(self.policy, ask.now_s()) else {
            return self.written.iter().collect();
        };
        let looked = self.policy.look(&self.written, &caller, &ask).into_iter();
        looked
            .filter(|(_, looked)| looked.as_ref().is_none_or(Looked::is_about_it))
            .map(|(rule, _)| rule)
            .collect()
    }

    /// Whether every rule could be taken apart.
    fn is_whole(&self) -> bool {
        self.written.len() == self.policy.rules.ids().len()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Denied { code: String, rules: Vec<Arc<str>> },
    Allowed { rules: Vec<Arc<str>>, release: Arc<ReleaseProfile>, limits: Arc<LimitProfile> },
}

impl Said {
    fn of(decision: Decision) -> Self {
        match decision {
            Decision::Denied(denial) => {
                Self::Denied { code: denial.code().to_owned(), rules: denial.rules().to_vec() }
            }
            Decision::Allowed(permit) => Self::Allowed {
                rules: permit.rules().to_vec(),
                release: Arc::clone(permit.release()),
                limits: Arc::clone(permit.limits()),
            },
        }
    }

    fn refused(refusal: TokenRefusal) -> Self {
        Self::Denied { code: refusal.code().to_owned(), rules: Vec::new() }
    }

    /// Whether this is what the record says. A limit may have refused what the rules allow, but
    /// not the other way round.
    fn explains(&self, recorded: &Recorded, ask: &Ask<'_>) -> bool {
        match self {
            Self::Denied { .. } => !recorded.allowed,
            Self::Allowed { .. } if !recorded.allowed => recorded.rules.is_empty(),
            Self::Allowed { limits, .. } => {
                let reserves = limits.rows_to_reserve(ask.rows);
                recorded.rows_reserved == 0 || reserves == Some(recorded.rows_reserved)
            }
        }
    }

    /// A caller is told the same and gets the same. Which rules say so is no difference to him.
    fn means_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Denied { code: one, .. }, Self::Denied { code: other, .. }) => one == other,
            (
                Self::Allowed { release, limits, .. },
                Self::Allowed { release: other_release, limits: other_limits, .. },
            ) => release == other_release && limits == other_limits,
            _ => false,
        }
    }

    fn answer(&self) -> Answer {
        let ids = |rules: &[Arc<str>]| rules.iter().map(|id| id.to_string()).collect();
        match self {
            Self::Denied { code, rules } => {
                Answer { allowed: false, detail: code.clone(), rules: ids(rules) }
            }
            Self::Allowed { rules, release, limits } => Answer {
                allowed: true,
                detail: format!("{}/{}", release.name(), limits.name()),
                rules: ids(rules),
            },
        }
    }
}

const UNEXPLAINED: &str = "what decided it: the old folder does not come to what was recorded";
