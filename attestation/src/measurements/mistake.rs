use std::fmt;

/// What is wrong with the text of `measurements.toml`, and what to do about it.
///
/// Displayed as two lines, the second only if there is something to suggest:
///
/// ```text
/// error: `measurements.toml` line 7: unknown field `mesurement`, expected one of ..
/// hint: did you mean `measurement`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// The line, counted from 1, where it could be told.
    pub line: Option<usize>,
    /// What happened: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("error: `measurements.toml`")?;
        if let Some(line) = self.line {
            write!(out, " line {line}")?;
        }
        write!(out, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(out, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Mistake {
    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.hint = Some(hint.to_owned());
        self
    }
}

/// The text in which a mistake is to be found.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) text: &'a str,
}

impl Place<'_> {
    pub(super) fn whole(self, message: impl Into<String>) -> Mistake {
        Mistake { line: None, message: message.into(), hint: None }
    }

    pub(super) fn at(self, offset: usize, message: impl Into<String>) -> Mistake {
        let before = self.text.bytes().take(offset);
        let line = 1 + before.filter(|byte| *byte == b'\n').count();
        Mistake { line: Some(line), message: message.into(), hint: None }
    }

    pub(super) fn of(self, error: &toml::de::Error) -> Mistake {
        let message = error.message().trim().replace('\n', ", ");
        let hint = did_you_mean(&message);
        let mistake = match error.span() {
            Some(span) => self.at(span.start, message),
            None => self.whole(message),
        };
        Mistake { hint, ..mistake }
    }
}

/// serde says "unknown field `a`, expected one of `b`, `c`": the nearest of them is the hint.
fn did_you_mean(message: &str) -> Option<String> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let given = quoted.next()?;
    quoted
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(given.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| format!("did you mean `{name}`?"))
}
