//! Many comparisons, counted.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Answer, Changed, Compared, Recorded};

/// What became of many recorded decisions. Displayed in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Decided alike.
    pub same: u64,
    /// Decided otherwise, by caller and rule.
    #[serde(serialize_with = "changes")]
    pub changed: BTreeMap<Change, u64>,
    /// Undetermined, by what is lacking. A case that lacks two things is counted at both.
    pub lacking: BTreeMap<String, u64>,
    /// How many are undetermined.
    pub undetermined: u64,
    /// Not decided by rules about models.
    pub not_by_rules: u64,
}

/// Changes that are alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// The token's `iss`.
    pub issuer: String,
    /// The token's `sub`.
    pub subject: String,
    /// The rules that make the difference.
    pub rules: Vec<String>,
    /// The model.
    pub model: String,
    /// What was to be done.
    pub action: String,
    /// What the old folder says.
    pub from: Answer,
    /// What the new folder says.
    pub to: Answer,
}

impl Tally {
    /// Counts one comparison.
    pub fn count(&mut self, recorded: &Recorded, compared: Compared) {
        match compared {
            Compared::Same => self.same += 1,
            Compared::NotByRules => self.not_by_rules += 1,
            Compared::Changed(changed) => {
                *self.changed.entry(Change::of(recorded, *changed)).or_default() += 1;
            }
            Compared::Undetermined(lacks) => {
                self.undetermined += 1;
                for lack in lacks {
                    *self.lacking.entry(lack).or_default() += 1;
                }
            }
        }
    }

    /// How many are decided otherwise.
    pub fn changed_count(&self) -> u64 {
        self.changed.values().sum()
    }
}

impl Change {
    fn of(recorded: &Recorded, changed: Changed) -> Self {
        let Changed { from, to, rules } = changed;
        Self {
            issuer: recorded.issuer.clone(),
            subject: recorded.subject.clone(),
            rules,
            model: recorded.model.clone(),
            action: recorded.action.clone(),
            from,
            to,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (change, count) in &self.changed {
            writeln!(f, "{change}\n    {count} {}", times(*count))?;
        }
        for (lack, count) in &self.lacking {
            writeln!(
                f,
                "undetermined, for the record lacks {lack}\n    {count} {}",
                times(*count)
            )?;
        }
        write!(
            f,
            "{} changed, {} the same, {} undetermined, {} not decided by rules about models",
            self.changed_count(),
            self.same,
            self.undetermined,
            self.not_by_rules
        )
    }
}

fn times(count: u64) -> &'static str {
    if count == 1 { "time" } else { "times" }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, subject, rules, model, action, from, to } = self;
        let rules: Vec<_> = rules.iter().map(|rule| format!("`{rule}`")).collect();
        let by = if rules.is_empty() { "no rule".to_owned() } else { rules.join(", ") };
        writeln!(f, "`{subject}` of `{issuer}`, `{action}` of `{model}`")?;
        write!(f, "    {from} -> {to}, by {by}")
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.allowed { "allowed" } else { "denied" };
        write!(f, "{word} (`{}`)", self.detail)
    }
}

/// As a list: a map's names can only be texts.
fn changes<S: serde::Serializer>(
    changed: &BTreeMap<Change, u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Counted<'a> {
        #[serde(flatten)]
        change: &'a Change,
        count: u64,
    }
    serializer.collect_seq(changed.iter().map(|(change, count)| Counted { change, count: *count }))
}
