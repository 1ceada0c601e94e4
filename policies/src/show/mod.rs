//! Who may do what: a folder's rules as a table in words.

mod phrases;

use std::fmt;

use serde::Serialize;

use crate::folder::Folder;
use crate::rules::Written;
use crate::set::PolicySet;
use crate::tables::ReleaseOutput;

/// A folder in words. Displayed as a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What is permitted, rule by rule.
    pub permits: Vec<ShownRule>,
    /// What is forbidden whatever is permitted, rule by rule.
    pub forbids: Vec<ShownRule>,
    /// The models that all this is about.
    pub models: Vec<ShownModel>,
}

/// One rule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownRule {
    /// Its `@id`.
    pub id: String,
    /// Its file.
    pub file: String,
    /// Its line, counted from 1.
    pub line: usize,
    /// What its author notes with `@note`.
    pub note: Option<String>,
    /// Of whom it speaks.
    pub who: String,
    /// Of what to do.
    pub action: String,
    /// Of which models.
    pub models: String,
    /// On which conditions, each beginning with `when` or `unless`.
    pub conditions: Vec<String>,
    /// How much of an answer a permit releases.
    pub release: Option<String>,
    /// How much a permit lets ask.
    pub limits: Option<String>,
    /// The code that a denial by it has.
    pub code: Option<String>,
}

/// One model in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownModel {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: Option<String>,
    /// The tenant that owns it.
    pub owner: String,
    /// The clearance that its level asks for.
    pub sensitivity: i64,
    /// How requests to it may be sealed.
    pub modes: Vec<&'static str>,
}

impl PolicySet {
    /// This set in words. `folder` is the one that it was made of.
    pub fn show(&self, folder: &Folder) -> Shown {
        let written = Written::all(folder);
        let of_effect = |permits: bool| {
            let rules = written.iter().filter(move |rule| rule.permits() == permits);
            rules.map(|rule| self.shown(rule, folder)).collect()
        };
        Shown {
            permits: of_effect(true),
            forbids: of_effect(false),
            models: self.models().map(ShownModel::of).collect(),
        }
    }

    fn shown(&self, rule: &Written, folder: &Folder) -> ShownRule {
        let [principal, action, resource] =
            ["principal", "action", "resource"].map(|name| rule.form.get(name).cloned());
        let annotated = |name: &str| rule.annotation(name).map(str::to_owned);
        let permits = rule.permits();
        ShownRule {
            id: rule.id.clone(),
            file: rule.file.clone(),
            line: rule.line,
            note: annotated("note"),
            who: phrases::who(&principal.unwrap_or_default()),
            action: phrases::action(&action.unwrap_or_default()),
            models: phrases::models(&resource.unwrap_or_default()),
            conditions: rule.clauses.iter().map(|part| phrases::condition(&part.text)).collect(),
            release: permits.then(|| self.release_words(rule.annotation("release"))),
            limits: permits.then(|| self.limits_words(rule.annotation("limits"), folder)),
            code: annotated("code"),
        }
    }

    fn release_words(&self, name: Option<&str>) -> String {
        let named = name.and_then(|name| self.releases.named(name)).cloned();
        let profile = self.releases.strictest_of(&[named]);
        let words = match profile.output() {
            ReleaseOutput::Label {} => "the most likely class alone".to_owned(),
            ReleaseOutput::Buckets { count } => {
                format!("which of {count} equal buckets the score is in")
            }
            ReleaseOutput::Rounded { digits } => format!("the score, rounded to {digits} digits"),
            ReleaseOutput::Full {} => "the score as the model gave it".to_owned(),
        };
        match name {
            Some(name) => format!("`{name}`: {words}"),
            None => format!("the strictest, `{}`: {words}", profile.name()),
        }
    }

    /// The numbers as `limits.toml` has them, so that none is left out.
    fn limits_words(&self, name: Option<&str>, folder: &Folder) -> String {
        let Some(name) = name else { return "the smallest of every declared number".to_owned() };
        let table: Option<toml::Table> =
            folder.text("limits.toml").and_then(|t| toml::from_str(t).ok());
        let row = table.as_ref().and_then(|table| table.get("limits")?.get(name)?.as_table());
        let numbers = row.into_iter().flatten().map(|(key, value)| format!("{key} {value}"));
        format!("`{name}`: {}", numbers.collect::<Vec<_>>().join(", "))
    }
}

impl ShownModel {
    fn of(model: &crate::Model) -> Self {
        Self {
            name: model.name().to_string(),
            title: model.title().map(str::to_owned),
            owner: model.owner().to_string(),
            sensitivity: model.sensitivity(),
            modes: model.modes().iter().map(|mode| mode.as_str()).collect(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What is permitted")?;
        if self.permits.is_empty() {
            writeln!(f, "\n  nothing")?;
        }
        self.permits.iter().try_for_each(|rule| rule.tell(f))?;
        writeln!(f, "\nWhat is forbidden all the same")?;
        if self.forbids.is_empty() {
            writeln!(f, "\n  nothing")?;
        }
        self.forbids.iter().try_for_each(|rule| rule.tell(f))?;
        write!(f, "\nThe models")?;
        self.models.iter().try_for_each(|model| {
            let ShownModel { name, owner, sensitivity, modes, .. } = model;
            write!(f, "\n\n  {name}")?;
            if let Some(title) = &model.title {
                write!(f, "\n    title      {title}")?;
            }
            write!(f, "\n    owner      tenant `{owner}`\n    asks for   clearance {sensitivity}")?;
            write!(f, "\n    asked      {}", modes.join(" or "))
        })
    }
}

impl ShownRule {
    fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n  {} ({} line {})", self.id, self.file, self.line)?;
        let mut row = |name: &str, text: &str| writeln!(f, "    {name:<10} {text}");
        if let Some(note) = &self.note {
            row("note", note)?;
        }
        row("who", &self.who)?;
        row(
            if self.code.is_some() || self.release.is_none() { "may not" } else { "may" },
            &self.action,
        )?;
        row("of", &self.models)?;
        for condition in &self.conditions {
            let (kind, rest) = condition.split_once(' ').unwrap_or(("when", condition));
            row(kind, rest)?;
        }
        for (name, text) in
            [("release", &self.release), ("limits", &self.limits), ("code", &self.code)]
        {
            if let Some(text) = text {
                row(name, text)?;
            }
        }
        Ok(())
    }
}
