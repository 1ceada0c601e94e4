//! Where rules, and things in rules, stand.

use cedar_policy::{Effect, Policy};

use crate::mistake::{Mark, Place};

/// Where a rule stands.
#[derive(Clone, Copy)]
pub(in super::super) struct Source<'a> {
    pub(in super::super) file: &'a str,
    pub(in super::super) text: &'a str,
    start: Mark,
    bytes: usize,
    permits: bool,
}

impl<'a> Source<'a> {
    /// Finds the rule's own text behind `cursor`, and moves `cursor` behind it.
    pub(in super::super) fn of(
        file: &'a str,
        text: &'a str,
        policy: &Policy,
        cursor: &mut Mark,
    ) -> Self {
        let own = policy.to_cedar().unwrap_or_default();
        let found = text.get(cursor.offset..).and_then(|rest| rest.find(&own));
        let start = cursor.moved_to(text, cursor.offset + found.unwrap_or(0));
        let bytes = found.map_or(0, |_| own.len());
        *cursor = start.moved_to(text, start.offset + bytes);
        Self { file, text, start, bytes, permits: policy.effect() == Effect::Permit }
    }

    pub(in super::super) fn place(&self) -> Place<'a> {
        Place::marked(self.file, self.text, self.start)
    }

    pub(super) fn permits(&self) -> bool {
        self.permits
    }

    /// The place of the first of `words` that stands in the rule, else of the rule.
    pub(super) fn place_of(&self, words: &[&str]) -> Place<'a> {
        let start = self.start.offset;
        let own = self.text.get(start..start + self.bytes).unwrap_or_default();
        let found = words.iter().find_map(|word| own.find(word));
        let mark = self.start.moved_to(self.text, start + found.unwrap_or(0));
        Place::marked(self.file, self.text, mark)
    }
}

/// The statements of a text with their offsets, each with its `;`, so that one that cannot be
/// read does not hide the others.
pub(in super::super) fn statements(text: &str) -> Vec<(usize, &str)> {
    let mut statements = Vec::new();
    let (mut start, mut state) = (0, Within::Rule);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        state = state.after(before, c);
        if state == Within::Rule && c == ';' {
            statements.push((start, text.get(start..=at).unwrap_or_default()));
            start = at + 1;
        }
        before = if before == '\\' && c == '\\' { ' ' } else { c };
    }
    let rest = text.get(start..).unwrap_or_default();
    if has_words(rest) {
        statements.push((start, rest));
    }
    statements
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Rule,
    Text,
    Comment,
}

impl Within {
    fn after(self, before: char, c: char) -> Self {
        match (self, before, c) {
            (Self::Rule, _, '"') => Self::Text,
            (Self::Rule, '/', '/') => Self::Comment,
            (Self::Text, before, '"') if before != '\\' => Self::Rule,
            (Self::Comment, _, '\n') => Self::Rule,
            (state, _, _) => state,
        }
    }
}

fn has_words(text: &str) -> bool {
    text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_in_a_text_or_a_comment_ends_no_statement() {
        let text = "a \"x;\\\";\" ; // b;\nc;\n// the end;\n";
        let found: Vec<_> = statements(text).into_iter().map(|(_, one)| one.trim()).collect();
        assert_eq!(found, ["a \"x;\\\";\" ;", "// b;\nc;"]);
    }
}
