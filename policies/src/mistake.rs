//! What is wrong with a policy folder, in words an admin can act on.

use std::fmt;

/// Whether a mistake stops the folder from taking effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The folder is refused.
    Error,
    /// The folder is accepted, but somebody should look.
    Warning,
}

/// One thing that is wrong with one file.
///
/// Displayed as two lines, the second only if there is something to suggest:
///
/// ```text
/// error: policy `rules/radiology.cedar` line 7 column 18: unknown attribute `clearence`
/// hint: did you mean `clearance`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Whether it stops the folder from taking effect.
    pub severity: Severity,
    /// The file, relative to the policy folder.
    pub file: String,
    /// The line, counted from 1, where it could be told.
    pub line: Option<usize>,
    /// The column in that line, counted in characters from 1, where it could be told.
    pub column: Option<usize>,
    /// What happened: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word}: policy `{}`", self.file)?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, " column {column}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a policy folder: all of it, not only the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Each mistake: by file and line, errors and warnings together.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn error(&mut self, place: Place<'_>, message: impl Into<String>) -> &mut Mistake {
        self.push(Severity::Error, place, message.into())
    }

    pub(crate) fn warning(&mut self, place: Place<'_>, message: impl Into<String>) -> &mut Mistake {
        self.push(Severity::Warning, place, message.into())
    }

    pub(crate) fn stop_the_folder(&self) -> bool {
        self.0.iter().any(|m| m.severity == Severity::Error)
    }

    pub(crate) fn errors(&self) -> usize {
        self.0.iter().filter(|m| m.severity == Severity::Error).count()
    }

    pub(crate) fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| {
            (&a.file, a.line, a.column, &a.message, a.severity)
                .cmp(&(&b.file, b.line, b.column, &b.message, b.severity))
        });
        self.0.dedup();
        self
    }

    fn push(&mut self, severity: Severity, place: Place<'_>, message: String) -> &mut Mistake {
        let Place { file, line, column } = place;
        let file = file.to_owned();
        self.0.push_mut(Mistake { severity, file, line, column, message, hint: None })
    }
}

impl Mistake {
    pub(crate) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    /// Suggests the declared name that the admin most likely meant, or lists them when they are
    /// few.
    pub(crate) fn did_you_mean<'a>(
        &mut self,
        given: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        self.suggest(given, known, "declared are");
    }

    /// The same for what is not for the admin to declare.
    pub(crate) fn did_you_mean_among<'a>(
        &mut self,
        given: &str,
        possible: impl IntoIterator<Item = &'a str>,
    ) {
        self.suggest(given, possible, "possible are");
    }

    fn suggest<'a>(
        &mut self,
        given: &str,
        known: impl IntoIterator<Item = &'a str>,
        listed_as: &str,
    ) {
        let mut known: Vec<&str> = known.into_iter().collect();
        known.sort_unstable();
        self.hint = match closest(given, &known) {
            Some(name) => Some(format!("did you mean `{name}`?")),
            None if known.is_empty() => Some("none is declared yet".to_owned()),
            None if known.len() <= LISTED_MAX => Some(format!("{listed_as} {}", quoted(&known))),
            None => None,
        };
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, mistake) in self.0.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

/// A file and perhaps a line and column in it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: Option<usize>,
    pub(crate) column: Option<usize>,
}

impl<'a> Place<'a> {
    pub(crate) fn file(file: &'a str) -> Self {
        Self { file, line: None, column: None }
    }

    pub(crate) fn at(file: &'a str, text: &str, offset: usize) -> Self {
        Self::marked(file, text, Mark::TOP.moved_to(text, offset))
    }

    pub(crate) fn marked(file: &'a str, text: &str, mark: Mark) -> Self {
        let before = text.get(..mark.offset).unwrap_or(text);
        let last = before.rsplit('\n').next().unwrap_or_default();
        Self { file, line: Some(mark.line), column: Some(1 + last.chars().count()) }
    }
}

/// An offset in a text, in bytes, and the line that it is on. Moving it counts only the lines in
/// between: one walk through a file marks every rule in it.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) offset: usize,
    line: usize,
}

impl Mark {
    pub(crate) const TOP: Self = Self { offset: 0, line: 1 };

    /// The mark at `offset` of the same text, which lies no earlier than this one.
    pub(crate) fn moved_to(self, text: &str, offset: usize) -> Self {
        let rest = text.get(self.offset..).unwrap_or_default();
        let between = offset.checked_sub(self.offset).and_then(|bytes| rest.get(..bytes));
        let lines = between.unwrap_or(rest).bytes().filter(|byte| *byte == b'\n').count();
        Self { offset, line: self.line + lines }
    }
}

/// The known name that is nearest to `given`, if any is near enough to be a slip of the hand.
pub(crate) fn closest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), *name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(given.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// More names than this would bury the message they are meant to explain.
const LISTED_MAX: usize = 12;

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_says_what_happened_and_then_one_hint() {
        let mut mistakes = Mistakes::default();
        let place = Place::at("rules/a.cedar", "one\ntwo\nthree", 9);
        mistakes
            .error(place, "unknown group `clincians`")
            .did_you_mean("clincians", ["clinicians", "nurses"]);
        assert_eq!(
            mistakes.to_string(),
            "error: policy `rules/a.cedar` line 3 column 2: unknown group `clincians`\nhint: did you mean `clinicians`?"
        );
    }

    #[test]
    fn a_name_that_resembles_none_is_not_guessed() {
        assert_eq!(closest("radiology", &["clinicians", "nurses"]), None);
    }

    #[test]
    fn a_warning_does_not_stop_the_folder() {
        let mut mistakes = Mistakes::default();
        mistakes.warning(Place::file("x"), "looks odd");
        assert!(!mistakes.stop_the_folder());
    }
}
