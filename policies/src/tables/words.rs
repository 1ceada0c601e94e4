//! The readers' errors, said to somebody who writes tables and knows no program.

use crate::mistake::{Mistake, Mistakes, Place};

/// What a reader complained of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complaint<'a> {
    /// `unknown field`: a key that nothing here has.
    UnknownField(&'a str),
    /// `unknown variant`: a word that stands for nothing here.
    UnknownWord(&'a str),
    /// `missing field`.
    Missing(&'a str),
    /// `invalid type`, `invalid value`.
    Unfit { found: &'a str, expected: &'a str },
    /// Anything else says itself what it is.
    Other(&'a str),
}

impl<'a> Complaint<'a> {
    pub(super) fn of(message: &'a str) -> Self {
        let quoted = || message.split('`').nth(1).unwrap_or_default();
        let unfit = |text: &'a str| text.split_once(", expected ");
        if message.starts_with("unknown field ") {
            Self::UnknownField(quoted())
        } else if message.starts_with("unknown variant ") {
            Self::UnknownWord(quoted())
        } else if message.starts_with("missing field ") {
            Self::Missing(quoted())
        } else if let Some((found, expected)) = message
            .strip_prefix("invalid type: ")
            .or_else(|| message.strip_prefix("invalid value: "))
            .and_then(unfit)
        {
            Self::Unfit { found, expected }
        } else {
            Self::Other(message)
        }
    }

    /// Notes it. `key` is the nearest name in the file.
    pub(super) fn note(
        self,
        place: Place<'_>,
        key: Option<&str>,
        known: &[&str],
        mistakes: &mut Mistakes,
    ) {
        match self {
            Self::UnknownField(name) => mistakes
                .error(place, format!("unknown field `{name}`"))
                .did_you_mean_among(name, known.iter().copied()),
            Self::UnknownWord(word) => unknown_word(word, key, place, known, mistakes),
            Self::Missing(name) => {
                let within = key.map(|key| format!(" in `{key}`")).unwrap_or_default();
                let hint = format!("`policies/default/{}` shows what belongs there", place.file);
                mistakes.error(place, format!("`{name}` is missing{within}")).hint(hint);
            }
            Self::Unfit { found, expected } => {
                let (found, expected) = (Found::of(found), Expected::of(expected));
                let what = key.map_or_else(|| "this".to_owned(), |key| format!("`{key}`"));
                let message = format!("{what} is {found}, but {expected} is expected");
                hint(mistakes.error(place, message), found, expected);
            }
            Self::Other("duplicate key") => mistakes
                .error(place, "this name stands twice")
                .hint("take one of them out, or give it another name"),
            Self::Other(message) if message.starts_with("string values must be quoted") => {
                mistakes
                    .error(place, "a text must stand in quotes")
                    .hint("write `\"..\"` around it");
            }
            Self::Other(message) => {
                mistakes.error(place, message.trim_end_matches('.').replace('\n', ", "));
            }
        }
    }
}

/// The names in an "expected `a`, `b`".
pub(super) fn expected_names(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).skip(1).collect()
}

fn unknown_word(
    word: &str,
    key: Option<&str>,
    place: Place<'_>,
    known: &[&str],
    mistakes: &mut Mistakes,
) {
    let within = key.map(|key| format!(" in `{key}`")).unwrap_or_default();
    let mistake = mistakes.error(place, format!("unknown value `{word}`{within}"));
    match (key, word) {
        (Some("algorithms"), "HS256" | "HS384" | "HS512") => mistake.hint(format!(
            "`{word}` is a shared secret: whoever can check tokens could also make them; \
             use `ES256`, `EdDSA`, `RS256` or `PS256`"
        )),
        (Some("algorithms"), "none") => mistake.hint("tokens without a signature never count"),
        _ => mistake.did_you_mean_among(word, known.iter().copied()),
    }
}

/// What stands in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found<'a> {
    Text,
    Number(&'a str),
    Truth,
    List,
    Table,
    Other(&'a str),
}

impl<'a> Found<'a> {
    fn of(words: &'a str) -> Self {
        let quoted = words.split('`').nth(1);
        match (words, quoted) {
            (words, _) if words.starts_with("string") => Self::Text,
            (words, Some(number)) if words.starts_with("integer") => Self::Number(number),
            (words, Some(number)) if words.starts_with("floating point") => Self::Number(number),
            (words, _) if words.starts_with("boolean") => Self::Truth,
            ("sequence", _) => Self::List,
            ("map", _) => Self::Table,
            _ => Self::Other(words),
        }
    }
}

impl std::fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Number(number) => f.write_str(number),
            Self::Truth => f.write_str("`true` or `false`"),
            Self::List => f.write_str("a list"),
            Self::Table => f.write_str("a table"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// What should stand there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected<'a> {
    Text,
    Whole { most: Option<u64> },
    Truth,
    List,
    Table,
    Other(&'a str),
}

impl<'a> Expected<'a> {
    fn of(words: &'a str) -> Self {
        match words {
            "a string" => Self::Text,
            "u8" => Self::Whole { most: Some(u8::MAX.into()) },
            "u16" => Self::Whole { most: Some(u16::MAX.into()) },
            "u32" => Self::Whole { most: Some(u32::MAX.into()) },
            "u64" | "usize" => Self::Whole { most: None },
            "i64" => Self::Whole { most: None },
            "a boolean" => Self::Truth,
            "a sequence" => Self::List,
            "a map" => Self::Table,
            words if words.starts_with("struct ") || words.contains("tagged enum") => Self::Table,
            words => Self::Other(words),
        }
    }
}

impl std::fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Whole { most: None } => f.write_str("a whole number"),
            Self::Whole { most: Some(most) } => write!(f, "a whole number from 0 to {most}"),
            Self::Truth => f.write_str("`true` or `false`"),
            Self::List => f.write_str("a list"),
            Self::Table => f.write_str("a table"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

fn hint(mistake: &mut Mistake, found: Found<'_>, expected: Expected<'_>) {
    match (found, expected) {
        (Found::Text, Expected::Whole { .. } | Expected::Truth) => {
            mistake.hint("write it without quotes");
        }
        (Found::Text, Expected::List) => {
            mistake.hint("write it in brackets, even if it is only one: `[\"..\"]`");
        }
        (Found::Number(_) | Found::Truth, Expected::Text) => mistake.hint("write it in quotes"),
        (Found::List, Expected::Text) => mistake.hint("write one value, without brackets"),
        (_, Expected::Table) => mistake.hint("give it a heading of its own, such as `[name]`"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str, key: &str) -> String {
        let mut mistakes = Mistakes::default();
        Complaint::of(message).note(
            Place::file("x.toml"),
            Some(key),
            &expected_names(message),
            &mut mistakes,
        );
        mistakes.to_string()
    }

    #[test]
    fn a_wrong_type_is_said_without_a_programs_words() {
        assert_eq!(
            said("invalid type: string \"12\", expected u32", "rows_max"),
            "error: policy `x.toml`: `rows_max` is text, but a whole number from 0 to 4294967295 is expected\n\
             hint: write it without quotes"
        );
        assert_eq!(
            said("invalid value: integer `-1`, expected u8", "digits"),
            "error: policy `x.toml`: `digits` is -1, but a whole number from 0 to 255 is expected"
        );
    }

    #[test]
    fn a_shared_secret_is_told_from_a_slip_of_the_hand() {
        let message = "unknown variant `HS256`, expected one of `ES256`, `EdDSA`";
        assert!(said(message, "algorithms").contains("could also make them"));
        let message = "unknown variant `ES255`, expected one of `ES256`, `EdDSA`";
        assert!(said(message, "algorithms").contains("did you mean `ES256`?"));
    }
}
