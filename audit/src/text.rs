//! Strings that came from outside, cut to a length the log can bear.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// A string of at most [`Text::BYTES_MAX`] bytes. What is longer is cut and ends in `…`.
///
/// Cheap to clone, so that a digest or a model's name can be shared by many records.
#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// The longest text, in bytes of UTF-8.
    pub const BYTES_MAX: usize = 256;

    /// Takes `text`, cut at a character if it is too long.
    pub fn new(text: &str) -> Self {
        if text.len() <= Self::BYTES_MAX {
            return Self(text.into());
        }
        let end = text.floor_char_boundary(Self::BYTES_MAX - CUT.len());
        let kept = text.get(..end).unwrap_or_default();
        Self(format!("{kept}{CUT}").into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// At most [`Texts::COUNT_MAX`] texts; those beyond are dropped and the last says so by `…`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Texts(Vec<Text>);

impl Texts {
    /// The most texts in one list.
    pub const COUNT_MAX: usize = 64;

    /// The texts in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Text> {
        self.0.iter()
    }
}

impl<T: Into<Text>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut texts = texts.into_iter();
        let mut kept: Vec<Text> = texts.by_ref().take(Self::COUNT_MAX).map(Into::into).collect();
        if texts.next().is_some() {
            kept.pop();
            kept.push(CUT.into());
        }
        Self(kept)
    }
}

const CUT: &str = "…";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_longest_length_is_kept_whole() {
        let text = "x".repeat(Text::BYTES_MAX);
        assert_eq!(Text::new(&text).as_str(), text);
    }

    #[test]
    fn a_longer_text_is_cut_at_a_character_and_says_so() {
        let text = Text::new(&"ü".repeat(Text::BYTES_MAX));
        assert!(text.as_str().len() <= Text::BYTES_MAX);
        assert!(text.as_str().ends_with("ü…"));
    }

    #[test]
    fn a_longer_list_is_cut_and_says_so() {
        let texts: Texts = (0..Texts::COUNT_MAX + 1).map(|i| i.to_string()).collect();
        assert_eq!(texts.iter().count(), Texts::COUNT_MAX);
        assert_eq!(texts.iter().last().map(Text::as_str), Some("…"));
    }
}
